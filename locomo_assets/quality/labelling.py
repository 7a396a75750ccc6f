"""Whether a release is what was measured, told from what the feed said before and after.

Here: the finding. The checking itself, and refusing what is another release, is
`measurement.watching`.
"""

from pathlib import Path

from locomo_assets.history import lens
from locomo_assets.quality.finding import Finding

_SQL = Path(__file__).with_name("labelling.sql")


def release_is_what_was_measured(lens_path: Path, release: str) -> Finding:
    """Fails where a conversation's release changed while it was measured, as its results are then
    of two releases. What nobody could check passes, and is said.
    """
    expected = "the feed's newest release is this one before and after each conversation's work"
    with lens.open_read_only(lens_path) as connection:
        row = connection.execute(_SQL.read_text(), {"release": release}).fetchone()
    verdict, changed, refusals, reason = row or (None, 0, 0, None)
    told = {
        "as_labelled": "it is",
        "release_changed": f"it changed during {changed} conversations: {reason}",
        "exempt": f"not held to it: {reason}",
        "unknown": f"unknown: {reason}",
        None: "nobody checked",
    }
    refused = f"; {refusals} times work was refused under another release" if refusals else ""
    return Finding(
        passed=verdict != "release_changed",
        expected=expected,
        actual=f"{told[verdict]}{refused}",
        numbers={
            "release_check": verdict or "none",
            "conversations_changed": changed,
            "refusals": refusals,
        },
    )
