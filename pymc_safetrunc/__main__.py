"""The command line: `python -m pymc_safetrunc COMMAND`."""

import argparse
import sys
from collections.abc import Sequence

from pymc_safetrunc import __version__, check_command, demo

# Modules that each add one command.
COMMANDS = (demo, check_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; the arguments default to those of the process."""
    parser = argparse.ArgumentParser(
        prog="python -m pymc_safetrunc",
        description="Truncated distributions for PyMC that are exact, with exact gradients.",
    )
    parser.add_argument("--version", action="version", version=f"pymc-safetrunc {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_command(commands)
    arguments = parser.parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
