"""How the width of each line followed the service in a run, as a table for the UI.

Here: layout. The changes are `backboard.limits`'.
"""

from collections.abc import Sequence

from locomo_assets.backboard.limits import WidthChange

SHOWN = 100


def limits_table(changes: Sequence[WidthChange]) -> str:
    """Markdown, oldest change first; of more than `SHOWN` changes the last ones."""
    lines = ["| time (UTC) | line | at once | why |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {one.changed_at:%H:%M:%S.%f} | {one.line} | {one.width} | {one.why} |"
        for one in changes[-SHOWN:]
    ]
    left_out = len(changes) - SHOWN
    return "\n".join([*lines, *([f"\n{left_out} earlier changes are left out."] * (left_out > 0))])
