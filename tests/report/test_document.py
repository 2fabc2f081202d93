"""The report as one file: it says all, opens offline, and no name in it is more than text."""

import base64
import html
import html.parser
import json
import pickle
import re

import numpy as np
import pytest
from pymc.exceptions import SamplingError
from xarray import Dataset

from pymc_safetrunc.findings import Diagnosis, Finding, ModelCheck, WatchdogReport
from pymc_safetrunc.report import document
from pymc_safetrunc.report.document import save_report
from pymc_safetrunc.watchdog import SamplingAborted
from tests.report import browser
from tests.report.runs import DIVERGENT, counter, synthetic, tree, with_group
from tests.report.test_faces import HOSTILE

# Tags whose text is all there is of them.
VOID = {"meta", "img"}


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.tags, self.open, self.text, self.images = set(), [], "", []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        given = dict(attrs)
        assert not [name for name in given if name.startswith("on") or name == "href"]
        if tag == "img":
            assert given["alt"]
            kind, data = given["src"].split(",")
            assert kind == "data:image/png;base64"
            self.images.append(base64.b64decode(data, validate=True))
        else:
            assert "src" not in given
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f"{data} "

    @property
    def words(self):
        return " ".join(self.text.split())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report.html"


def hostile_run(more=()):
    """Every name that a user gives is out to do harm."""
    names = [*HOSTILE, *more]
    rng = np.random.default_rng(1)
    diverging = rng.uniform(size=(2, 60)) < 0.2
    theta = rng.normal(size=(2, 60, len(names))) + diverging[..., None]
    variables = {name.replace("/", "|"): rng.normal(size=(2, 60)) + 2 * diverging for name in names}
    draws = tree(diverging, {"who": names}, theta=(("chain", "draw", "who"), theta), **variables)
    findings = tuple(
        Finding("r", "error", name, name, name, "gradient", name, name, (0,), name, f"# {name!r}")
        for name in names
    )
    report = WatchdogReport(
        "logp-nan",
        names[0],
        "sampling",
        chain=0,
        point={name: np.zeros(2) for name in names},
        diagnosis=Diagnosis(findings, dict.fromkeys(names, 0.0), tuple(names), notes=tuple(names)),
        step=names[1],
        detail=names[2],
        advice=tuple(names),
    )
    counters = [counter(70, 10, [(20, 25, DIVERGENT)]), counter(70, 10)]
    return with_group(draws, counters, report)


def test_a_stopped_run(aborted, path):
    assert save_report(aborted, path) == path
    page = Page(path)
    assert page.tags.isdisjoint({"script", "link", "iframe", "object", "form"})
    assert [image[:4] for image in page.images] == [b"\x89PNG"] * 2
    draws = aborted.idata.posterior.sizes["draw"]
    diverged = int(aborted.idata.sample_stats.diverging.sum())
    for words in (
        "Sampling was stopped in chain 0",
        "strength · log-density sqrt-of-negative",
        "return pt.sqrt(pt.maximum(x, 1e-300))",  # the remedy
        "logp-nan",
        f"The {diverged} divergent among {draws} draws differ most from the others in load",
        "ess_bulk",
        "max_nonfinite 10",
        "pytensor 3.",
        "Sampled by pymc.",
    ):
        assert words in page.words, words
    # the file of the result says what the file of the error says
    first = path.read_text()
    save_report(aborted.idata, str(path))
    assert path.read_text() == first


def test_a_run_with_divergences(funnel, path):
    page = Page(save_report(funnel, path))
    diverged = int(funnel.sample_stats.diverging.sum())
    assert f"Sampling finished, and {diverged} of 600 draws diverged" in page.words
    assert "scale_log__ (Kolmogorov-Smirnov distance" in page.words
    assert len(page.images) == 2
    assert "target_accept" in page.words


def test_divergences_while_tuning_prove_nothing(path):
    draws = tree(np.zeros((1, 20), bool), x=np.arange(20.0)[None])
    page = Page(save_report(with_group(draws, [counter(30, 10, [(2, 8, DIVERGENT)])]), path))
    assert "Sampling finished, and no draw diverged" in page.words
    assert "target_accept" not in page.words
    assert len(page.images) == 1


def test_an_error_without_draws(aborted, path):
    bare = SamplingAborted(aborted.report)
    page = Page(save_report(bare, path))
    assert "sqrt-of-negative" in page.words
    assert "There is no draw after tuning to summarise." in page.words
    assert "pymc 6." in page.words
    assert page.images == []
    # as it comes out of pm.sample with several cores
    outer = SamplingError("Chain 0 failed")
    outer.__cause__ = bare
    first = path.read_text()
    save_report(outer, path)
    assert path.read_text() == first


def test_every_draw_diverged(path):
    draws = with_group(
        tree(np.ones((1, 20), bool), x=np.arange(20.0)[None]),
        [counter(20, 0, [(0, 20, DIVERGENT)])],
    )
    page = Page(save_report(draws, path))
    assert "20 of 20 draws diverged" in page.words
    assert len(page.images) == 1


def test_a_large_variable_is_named_and_left_out(path, monkeypatch):
    monkeypatch.setattr(document, "MOST_ROWS", 1)
    page = Page(save_report(synthetic(2, 50), path))
    assert "Too large for this page: y ." in page.words


def test_a_single_large_variable(path):
    draws = tree(np.zeros((1, 5), bool), x=(("chain", "draw", "i"), np.zeros((1, 5, 501))))
    page = Page(save_report(with_group(draws, [counter(5, 0)]), path))
    assert "Every variable has more than 500 entries. Too large for this page: x ." in page.words


def test_a_summary_that_fails_costs_nothing_else(path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("<b>made for the test")

    monkeypatch.setattr(document.az, "summary", fail)
    page = Page(save_report(synthetic(2, 50), path))
    assert "ArviZ could not summarise it: RuntimeError: <b>made for the test" in page.words
    assert len(page.images) == 2


def test_names_in_scripts_no_font_has(path):
    draws = tree(np.zeros((1, 20), bool), 鍋=np.arange(20.0)[None], x=np.ones((1, 20)))
    draws["sample_stats"]["diverging"][0, 3:5] = True
    page = Page(save_report(with_group(draws, [counter(20, 0, [(3, 5, DIVERGENT)])]), path))
    assert "鍋" in page.words


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (3, TypeError, "int given; give the DataTree that pymc_safetrunc.sample returned"),
        (Dataset(), TypeError, "Dataset given"),
        (ValueError("x"), TypeError, "ValueError was not raised by the watchdog"),
        (tree(np.zeros((1, 2), bool)), ValueError, "no group 'watchdog'.*posterior, sample_stats"),
    ],
    ids=["a number", "a Dataset", "another error", "no group"],
)
def test_wrong_input_is_told_what_to_write(given, error, words, path):
    with pytest.raises(error, match=words):
        save_report(given, path)
    assert not path.exists()


def test_a_place_to_write_is_looked_for_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.delattr(document, "concentration")
    with pytest.raises(IsADirectoryError, match=r"give a file in it, such as .*report\.html"):
        save_report(synthetic(1, 9), tmp_path)
    with pytest.raises(FileNotFoundError, match="make it first"):
        save_report(synthetic(1, 9), tmp_path / "no" / "report.html")


def test_reports_survive_pickle_and_their_dictionaries(aborted):
    report = aborted.report
    for back in (
        pickle.loads(pickle.dumps(report)),
        WatchdogReport.from_dict(report.to_dict()),
        pickle.loads(pickle.dumps(aborted)).report,
    ):
        assert back.to_dict() == report.to_dict()
        assert str(back) == str(report)
        assert back.diagnosis == report.diagnosis
    assert report.diagnosis.findings
    assert Diagnosis.from_dict(report.diagnosis.to_dict()) == report.diagnosis


def test_numbers_that_are_not_finite_survive_strict_json():
    point = {"x": np.array([[np.nan, 1.0], [np.inf, -np.inf]]), "k": np.array(3)}
    diagnosis = Diagnosis(
        (Finding("r", "error", "nan", expression="inf", index=(np.int64(2),)),),
        point={"x": [np.nan, 1.0], "y": -np.inf, "z": "array of shape (30,)"},
    )  # seconds: NaN
    report = WatchdogReport("logp-nan", "why", "sampling", 1, 7, point=point, diagnosis=diagnosis)
    report.kept = {0: (3, 4)}
    written = json.dumps(report.to_dict(), allow_nan=False)
    back = WatchdogReport.from_dict(json.loads(written))
    for name, value in point.items():
        np.testing.assert_array_equal(back.point[name], value)
        assert back.point[name].dtype == value.dtype
    assert back.kept == report.kept
    # equal but for NaN, which never is
    assert (back.diagnosis.findings, back.diagnosis.ok) == (diagnosis.findings, diagnosis.ok)
    assert repr(back.diagnosis.point) == repr(diagnosis.point)
    assert np.isnan(back.diagnosis.seconds)
    assert json.dumps(back.to_dict(), allow_nan=False) == written
    assert json.dumps(ModelCheck().to_dict(), allow_nan=False)


def test_chromium_opens_it_offline(tmp_path, path):
    with browser.network() as (address, asked):
        image = f'<img src="{address}name">'
        save_report(hostile_run([image, "$\\frac{", "</style></pre></code>"]), path)
        Page(path)  # well formed, every picture inside
        shown = browser.visit(path, tmp_path)
        assert "CONSOLE" not in shown.stderr
        assert asked == []
        text = html.unescape(re.sub(r"<[^>]*>", "", shown.stdout))
        for name in (*HOSTILE, image, "$\\frac{"):
            printable = name if name.isprintable() else name.encode("unicode_escape").decode()
            assert printable in text or name.replace("\\", "\\\\") in text, name

        # what the test would see if a name were more than text: the policy stops it
        page = path.read_text(encoding="utf-8")
        loose = tmp_path / "loose.html"
        loose.write_text(page.replace("</body>", f"{image}</body>"), encoding="utf-8")
        assert "CONSOLE" in browser.visit(loose, tmp_path).stderr
        assert asked == []
        # and what it would see without the policy
        loose.write_text(f"<!doctype html><body>{image}</body>", encoding="utf-8")
        browser.visit(loose, tmp_path)
        assert asked == ["/name"]


def test_chromium_paints_it(tmp_path, path, aborted):
    save_report(aborted, path)
    picture = tmp_path / "report.png"
    browser.visit(path, tmp_path, f"--screenshot={picture}", "--window-size=500,2000")
    # an empty page of this size takes 7 kB
    assert picture.stat().st_size > 50_000
