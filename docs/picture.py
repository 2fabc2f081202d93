"""Draw `docs/images/diagnosis.png`: the face that a diagnosis has in a notebook.

    python docs/picture.py

needs Chromium. The picture is the HTML of a real diagnosis, nothing is painted.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pymc as pm

import pymc_safetrunc as pst

PICTURE = Path(__file__).parent / "images" / "diagnosis.png"
WIDTH, HEIGHT = 920, 372
PAGE = """<!doctype html><meta charset="utf-8">
<style>body {{ margin: 14px 18px; background: #fff; color: #1f1f1f; }}</style>
{}"""


def doomed_model() -> pm.Model:
    """The model of the README."""
    with pm.Model() as model:
        upper = pm.Data("upper", np.inf)
        sigma = pm.InverseGamma("sigma", 2, 3)
        pm.TruncatedNormal("v", 0, sigma, lower=0, upper=upper)
    return model


def main() -> None:
    """Diagnose, lay out, photograph."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        raise SystemExit("Chromium is needed: install the package 'chromium'.")
    diagnosis = pst.diagnose(model=doomed_model())
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "diagnosis.html"
        page.write_text(PAGE.format(diagnosis._repr_html_()))
        subprocess.run(
            [
                *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--force-device-scale-factor=2", f"--window-size={WIDTH},{HEIGHT}"),
                *(f"--screenshot={PICTURE}", page.as_uri()),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
