"""The table of faults: its form, and the one in docs/reliability.md."""

from pathlib import Path

from locomo_assets_tests.chaos.__main__ import rows
from locomo_assets_tests.chaos.outcome import Outcome
from locomo_assets_tests.chaos.result import (
    COLUMNS,
    Result,
    markdown,
    rows_between_marks,
    write_between_marks,
)
from locomo_assets_tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"
SOUND = Outcome(
    turns=64,
    doubled=0,
    noticed=2,
    lost=0,
    questions=20,
    in_one_thread=0,
    unanswered_again=1,
    asked_again=0,
)


def test_table_goes_between_the_marks_and_is_read_back(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    result = Result("late", "published", 7, SOUND, (1, 0))
    write_between_marks(page, markdown([result]))
    header, row = rows_between_marks(page)
    assert header == COLUMNS
    assert row == ("late", "published", "7", "64", "0", "2", "0", "20", "0", "1", "0", "1, 0")
    write_between_marks(page, markdown([result]))
    assert len(rows_between_marks(page)) == 2
    outside = (PAGE.read_text().split("<!--")[0], PAGE.read_text().split("-->")[-1])
    assert (page.read_text().split("<!--")[0], page.read_text().split("-->")[-1]) == outside


def test_page_has_the_rows_and_columns_that_the_command_makes() -> None:
    header, *written = rows_between_marks(PAGE)
    assert header == COLUMNS
    assert [row[:2] for row in written] == list(rows())
