import pytest

from tests import optional


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail), ("", pytest.skip)])
def test_missing_package_skips_at_home_and_fails_in_ci(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome.Exception, match="no_such_package"):
        optional.require("no_such_package")


def test_installed_package_is_returned():
    import math

    assert optional.require("math") is math
