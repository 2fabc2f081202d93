"""Findings as text and as HTML, with names that are out to do harm."""

import html.parser
import io

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import rich.console
from matplotlib.image import imread

from pymc_safetrunc.diagnosis import diagnose
from pymc_safetrunc.findings import Diagnosis, Finding, WatchdogReport
from tests.report import browser

HOSTILE = [
    "<script>alert(1)<b>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[31mred",
    "a\nimport os",
    "[bold red]markup",
    "{{ 7 * 7 }}",
    "&amp;",
]


# #c62828, as in the style sheet
ERROR_COLOUR = (0xC6, 0x28, 0x28)


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.open = set(), "", []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def hostile(name):
    with pm.Model() as model:
        x = pm.Normal(name, initval=0.0)
        pm.Potential("p", pt.log(pt.abs(x)))
    return diagnose(model=model)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text(name):
    diagnosis = hostile(name)
    assert diagnosis.findings
    assert any(f.variable == name for f in diagnosis.findings)  # the data keep the true name
    parser = Tags()
    parser.feed(diagnosis._repr_html_())
    assert not parser.open
    allowed = "style div p strong span dl dt dd code pre details summary"
    assert parser.tags <= set(allowed.split())
    printable = name.encode("unicode_escape").decode() if not name.isprintable() else name
    assert printable in parser.text
    text = str(diagnosis)
    assert "\x1b" not in text
    assert printable in text
    for finding in diagnosis.findings:
        # pasted code stays what it was: a name cannot end its comment
        names = {}
        exec(finding.remedy, names)
        assert "os" not in names


def hostile_report(name):
    return WatchdogReport(
        cause="logp-nan",
        explanation=f"the log-density of {name} is a NaN",
        phase="sampling",
        chain=1,
        draw=7,
        point={name: np.zeros(2)},
        diagnosis=hostile(name),
        step=name,
        detail=name,
        advice=(f"Look at {name}",),
        kept={1: (3, 4)},
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text_in_a_watchdog_report(name):
    report = hostile_report(name)
    parser = Tags()
    parser.feed(report._repr_html_())
    assert not parser.open
    allowed = "style div p strong span dl dt dd code pre details summary"
    assert parser.tags <= set(allowed.split())
    shown = "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in name
    )
    assert parser.text.count(shown) >= 5  # explanation, point, step, detail, advice
    for text in (str(report), in_terminal(report)):
        assert "\x1b" not in text
        assert shown in text
    assert "Draws kept: chain 1: 3 tuning + 4." in str(report)


def in_terminal(thing):
    """What `rich.print` shows in a terminal without colours."""
    console = rich.console.Console(file=io.StringIO(), width=100, color_system=None)
    console.print(thing)
    return console.file.getvalue()


def test_a_report_with_a_diagnosis_inside_brings_its_style_once():
    assert hostile_report("x")._repr_html_().count("<style>") == 1
    assert hostile("x")._repr_html_().count("<style>") == 1


def test_rich_shows_the_same():
    diagnosis = hostile("x")
    for thing in (diagnosis, diagnosis.findings[0], hostile_report("x")):
        shown = [line.rstrip() for line in in_terminal(thing).rstrip().splitlines()]
        assert shown == str(thing).splitlines()


def test_headline_counts_each_severity():
    findings = tuple(Finding("r", s, "m") for s in ("error", "warning", "warning", "hint"))
    assert "1 error, 2 warnings and 1 hint in" in str(Diagnosis(findings=findings))
    assert "Diagnosis: 1 hint in" in str(Diagnosis(findings=findings[3:]))
    assert Diagnosis(findings=findings[1:]).ok


def test_text_says_all():
    with pm.Model() as model:
        s = pm.InverseGamma("s", 2, 3)
        up = pm.Data("up", np.inf)
        pm.TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5])
    diagnosis = diagnose(model=model)
    text = str(diagnosis)
    for words in (
        "1 error in 2 factors",
        "V · gradient by s_log__",
        "runtime-infinite-bound",
        "Mul",
        "up",
        "pst.TruncatedNormal",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= 100
    assert str(diagnosis.findings[0]) in text


def test_a_repeated_remedy_is_shown_once():
    finding = Finding("r", "error", "m", remedy="x = 1\n")
    text = str(Diagnosis(findings=(finding, finding)))
    assert text.count("x = 1") == 1
    assert "as above" in text


def test_nothing_found():
    assert "nothing found in 1 factor" in str(Diagnosis(factors=("a",)))


def test_chromium_shows_it_and_runs_nothing(tmp_path):
    fragments = "".join(hostile_report(name)._repr_html_() for name in HOSTILE)
    shown, picture = in_browser(tmp_path, fragments)
    assert "<title>quiet</title>" in shown.stdout
    assert shown.stdout.count('class="pst-finding') >= 2 * len(HOSTILE)
    assert "CONSOLE" not in shown.stderr
    # what the browser painted: the mark of an error has a colour that nothing else has
    assert (np.round(255 * imread(picture)[..., :3]) == ERROR_COLOUR).all(axis=-1).sum() > 0


@pytest.mark.parametrize(
    ("fragment", "title"),
    [
        ("<script>nowhere.to_be_found</script>", "loud"),
        ("<img src=x onerror=alert(1)>", "loud"),
        ("<script>console.error('only said')</script>", "quiet"),
    ],
)
def test_chromium_finds_what_would_be_wrong(tmp_path, fragment, title):
    shown, _ = in_browser(tmp_path, fragment)
    assert f"<title>{title}</title>" in shown.stdout
    assert "CONSOLE" in shown.stderr or "onerror" in fragment


def in_browser(tmp_path, fragments):
    """What Chromium makes of fragments: its streams, with the DOM and the console, and a picture.

    What runs changes the title; what fails is told in the console.
    """
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(
        "<!doctype html><html><head><meta charset=utf-8><title>quiet</title>"
        "<script>window.alert = () => { document.title = 'loud'; };"
        "window.onerror = () => { document.title = 'loud'; };</script></head>"
        f"<body>{fragments}</body></html>",
        encoding="utf-8",
    )
    shown = browser.visit(page, tmp_path)
    browser.visit(page, tmp_path, f"--screenshot={picture}")
    return shown, picture
