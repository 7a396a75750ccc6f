"""The leaderboard on a terminal: a table a group, and the claims of others apart from it."""

from collections.abc import Sequence

from rich.console import Console

from locomo_assets.redaction import printable
from locomo_assets.reporting.leaderboard.claims import CLAIM_HEADINGS, read_claims
from locomo_assets.reporting.leaderboard.data import HEADINGS, STANDIN_NOTE, Group, notes
from locomo_assets.reporting.terminal.table import print_table

_MAY_GO = ("correct", "answered by", "scored", "memory tokens", "input tokens", "p50 ms", "USD")


def print_leaderboard(out: Console, groups: Sequence[Group]) -> None:
    """Prints all groups, then what others publish."""
    for number, group in enumerate(groups, start=1):
        _line(out, f"\ngroup {number}: {group.title}")
        if group.apart:
            _line(out, group.apart)
        if group.has_standin:
            _line(out, STANDIN_NOTE)
        print_table(out, HEADINGS, [one.cells() for one in group.entries], _MAY_GO)
    out.print()
    for line in notes(groups):
        _line(out, line)
    claims = read_claims()
    _line(out, f"\nPublished claims, as of {claims.as_of}: not measured here, not comparable above")
    for source in claims.source:
        _line(out, f"\n{source.name} (harness: {source.harness})")
        print_table(out, CLAIM_HEADINGS, source.rows())
        _line(out, source.about)


def _line(out: Console, text: str) -> None:
    out.print(printable(text), soft_wrap=True, highlight=False, markup=False)
