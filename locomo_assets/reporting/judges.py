"""Two judges on the same answers, as the history has them.

Here: reading the pairs. What they come to is `statistics.agreement`'s.
"""

from pathlib import Path

from locomo_assets.history import lens
from locomo_assets.reporting.errors import NotComparableError
from locomo_assets.statistics.agreement import Agreement, agreement

_SQL = Path(__file__).with_name("judges.sql")


def judge_agreement(lens_path: Path, a: str, b: str, release: str | None = None) -> Agreement:
    """Of the current answers (of a release, or of all) that both have scored.

    `NotComparableError` where there is none; it names the judges there are.
    """
    given = {"a": a, "b": b, "release": release}
    with lens.open_read_only(lens_path) as connection:
        pairs = connection.execute(_SQL.read_text(), given).fetchall()
        if not pairs:
            known = connection.execute(
                "SELECT DISTINCT judge FROM current_judgements "
                "WHERE $1 IS NULL OR release = $1 ORDER BY ALL",
                [release],
            ).fetchall()
            of = f" of release {release}" if release else ""
            raise NotComparableError(
                f"judges {a} and {b}: no answer{of} was scored by both; judges there are: "
                + (", ".join(name for (name,) in known) or "none")
            )
    return agreement([(bool(one), bool(other)) for one, other in pairs])
