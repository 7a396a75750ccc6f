"""The leaderboard on a terminal: a table a group, and the claims of others apart from it."""

from collections.abc import Sequence

from locomo_assets.reporting.leaderboard.claims import CLAIM_HEADINGS, read_claims
from locomo_assets.reporting.leaderboard.data import HEADINGS, STANDIN_NOTE, Group, notes
from locomo_assets.reporting.terminal.table import Screen, Short, print_line, print_table

_SHORT = Short(
    only_wide=("correct", "answered by", "memory tokens", "input tokens", "p50 ms"),
    if_any=("USD", "remarks"),
    if_varied=("system", "questions asked", "scored", "remarks"),
)


def print_leaderboard(out: Screen, groups: Sequence[Group]) -> None:
    """Prints all groups, then what others publish."""
    for number, group in enumerate(groups, start=1):
        _line(out, f"\ngroup {number}: {group.title}")
        if group.apart:
            _line(out, group.apart)
        if group.has_standin:
            _line(out, STANDIN_NOTE)
        print_table(out, HEADINGS, [one.cells() for one in group.entries], _SHORT)
    out.print()
    for line in notes(groups):
        _line(out, line)
    claims = read_claims()
    _line(out, f"\nPublished claims, as of {claims.as_of}: not measured here, not comparable above")
    for source in claims.source:
        _line(out, f"\n{source.name} (harness: {source.harness})")
        print_table(out, CLAIM_HEADINGS, source.rows())
        _line(out, source.about)


def _line(out: Screen, text: str) -> None:
    print_line(out, text, unwrapped_on_a_pipe=True)
