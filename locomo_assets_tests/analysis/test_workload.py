"""The table of widths: every change, and what is left out said."""

from datetime import UTC, datetime

from locomo_assets.analysis.workload import SHOWN, limits_table
from locomo_assets.http.limits import LimitChange

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_changes_are_rows_and_those_left_out_are_counted() -> None:
    changes = [LimitChange(AT, "POST /x", limit, "grew") for limit in range(1, SHOWN + 4)]
    table = limits_table(changes)
    assert f"| 10:00:00.000000 | POST /x | {SHOWN + 3} | grew |" in table
    assert table.count("POST /x") == SHOWN
    assert "3 earlier changes are left out." in table
    assert "left out" not in limits_table(changes[:1])
