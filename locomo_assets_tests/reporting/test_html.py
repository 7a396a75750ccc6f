"""The page as text: written whole or not at all, one file, its numbers there without a script."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from locomo_assets.history.database import refresh
from locomo_assets.reporting.html import write_page
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.reporting.factories import two_releases

LIMIT = 2.0


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_releases(tmp_path_factory.mktemp("page"), questions=20)


@pytest.fixture(scope="module")
def page(database_path: Path) -> BeautifulSoup:
    target = database_path.with_name("report.html")
    write_page(database_path, target, max_error_percent=LIMIT)
    return BeautifulSoup(target.read_text(), "html.parser")


def text_of(page: Tag, selector: str) -> str:
    """The text of the first element that fits, each space once."""
    return " ".join(page.select(selector)[0].text.split())


def test_failed_writing_leaves_nothing(database_path: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory"):
        write_page(database_path, tmp_path, max_error_percent=LIMIT)
    assert list(tmp_path.parent.glob(f"{tmp_path.name}.*")) == []


def test_what_is_not_valid_is_marked_and_compared_with_nothing(
    database_path: Path, tmp_path: Path
) -> None:
    # Below 0 nothing is valid.
    data = write_page(database_path, tmp_path / "report.html", max_error_percent=-1.0)
    assert (data.comparison, data.references) == (None, ())
    assert "its numbers are not valid" in str(data.not_compared)
    text = (tmp_path / "report.html").read_text()
    assert "Warning: these numbers are not valid" in text
    assert f"invalid ({data.whole.accuracy_percent:.2f})" in text


def test_the_policy_lets_through_this_style_and_this_script_alone(page: BeautifulSoup) -> None:
    (policy,) = page.select("meta[http-equiv=Content-Security-Policy]")
    allowed = re.findall(r"(\w+)-src\s+'sha256-([^']+)'", str(policy["content"]))
    script = page.select("script")[-1]
    (style,) = page.select("style")
    assert allowed == [
        (name, base64.b64encode(hashlib.sha256(str(one.string).encode()).digest()).decode())
        for name, one in (("style", style), ("script", script))
    ]
    assert "default-src 'none'" in policy["content"]
    assert not page.select("[style], [src], link, img, iframe")
    # No element does anything on its own.
    assert not [
        one for one in page.find_all(True) if any(name.startswith("on") for name in one.attrs)
    ]


def test_the_first_screen_has_the_decision_the_number_and_the_reasons(page: BeautifulSoup) -> None:
    (overview,) = page.select("#overview")
    assert text_of(page, ".warning").startswith("Warning: the packaged stand-in")
    assert text_of(page, "#headline").startswith("Cannot tell whether r2 is better")
    said = text_of(page, "#overview")
    assert "55.00 % 95 % interval" in said
    assert "22 of 40 scored" in said
    assert "against r1" in said
    reasons = [one.text for one in overview.select(".stages tbody th")]
    assert reasons == ["never stored", "retrieved not used"]
    assert [one.text for one in overview.select(".bridge tbody th a")] == ["storing"]
    assert "stored before, not now" in said


def test_tables_are_readable_without_seeing_them(page: BeautifulSoup) -> None:
    tables = page.select("main table:not(.list)")
    assert len(tables) > 5
    for table in tables:
        assert text_of(table, "caption")
        assert all(one.get("scope") in ("col", "row") for one in table.select("th"))
        assert all(row.select("th[scope=row]") for row in table.select("tbody tr"))
    for figure in page.select("figure"):
        assert text_of(figure, "svg > title")
        assert figure.select("details table")


def test_an_uncompared_release_has_its_page(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 4)
    history.measure("r1", {"conv-1": "-+++"}, latency_ms=None, cost_usd=None)
    refresh(history.store, history.database_path)
    write_page(history.database_path, tmp_path / "one.html", max_error_percent=LIMIT)
    page = BeautifulSoup((tmp_path / "one.html").read_text(), "html.parser")
    assert "is not compared: it is the first release" in text_of(page, "#headline")
    assert not page.select(".bridge, figure, #trend")
    assert "conv-1" in text_of(page, "#accuracy")
