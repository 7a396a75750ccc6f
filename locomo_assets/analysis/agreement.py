"""How far judges agree, with each other and with answers that are known to be right or wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.comparison.series import NotComparableError
from locomo_assets.history import database
from locomo_assets.judging.judge import judge_alone


@dataclass(frozen=True, slots=True)
class Agreement:
    """The confusion table of two judges, A's verdict first, and the measures from it.

    `kappa` is Cohen's (1960), agreement beyond chance; None where chance alone would agree on all.
    `balanced_accuracy` takes A's verdicts as the truth: the mean of B's recall of A's correct and
    of A's wrong verdicts; None where A gave one kind only.
    """

    both_correct: int
    only_a_correct: int
    only_b_correct: int
    both_wrong: int
    agreement: float | None
    kappa: float | None
    balanced_accuracy: float | None

    @property
    def answers(self) -> int:
        """How many answers both have judged."""
        return self.both_correct + self.only_a_correct + self.only_b_correct + self.both_wrong


def agreement(pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    """The agreement over pairs (A says correct, B says correct), one an answer."""
    counts = Counter(pairs)
    yes_yes, yes_no = counts[True, True], counts[True, False]
    no_yes, no_no = counts[False, True], counts[False, False]
    correct, wrong = yes_yes + yes_no, no_yes + no_no
    balanced = None
    if correct and wrong:
        balanced = (yes_yes / correct + no_no / wrong) / 2
    return Agreement(
        both_correct=yes_yes,
        only_a_correct=yes_no,
        only_b_correct=no_yes,
        both_wrong=no_no,
        agreement=(yes_yes + no_no) / len(pairs) if pairs else None,
        kappa=_kappa(yes_yes, yes_no, no_yes, no_no),
        balanced_accuracy=balanced,
    )


def _kappa(yes_yes: int, yes_no: int, no_yes: int, no_no: int) -> float | None:
    from statsmodels.stats.inter_rater import cohens_kappa

    one_kind = yes_yes + yes_no + no_yes == 0 or no_no + yes_no + no_yes == 0
    if one_kind:
        return None
    return float(cohens_kappa([[yes_yes, yes_no], [no_yes, no_no]], return_results=False))


_CANARY_RATES = """
SELECT right_accepted, wrong_accepted, vague_accepted
FROM canary_rates
WHERE release = $1 AND coalesce(system, 'unknown') = $2 AND judge = $3
"""


def canary_numbers(database_path: Path, release: str, system: str, judge: str) -> dict[str, float]:
    """The shares of canaries accepted, in percent, by name; empty where none were judged.

    Canaries have their own gold answers, so a judge given corrected gold answers has the rates of
    the same judge without them (`judge_alone`).
    """
    with database.open_read_only(database_path) as connection:
        found = connection.execute(_CANARY_RATES, [release, system, judge_alone(judge)]).fetchone()
    names = ("right", "wrong", "vague")
    return {
        f"canaries_{name}_accepted_percent": round(100 * share, 1)
        for name, share in zip(names, found or (), strict=False)
        if share is not None
    }


_AGREEMENT = Path(__file__).with_name("judge_agreement.sql")


def judge_agreement(database_path: Path, a: str, b: str, release: str | None = None) -> Agreement:
    """The agreement on the current answers (of a release, or of all) that both have scored.

    Raises:
        NotComparableError: there is no such answer. The text names the judges there are.
    """
    given = {"a": a, "b": b, "release": release}
    with database.open_read_only(database_path) as connection:
        pairs = connection.execute(_AGREEMENT.read_text(encoding="utf-8"), given).fetchall()
        if not pairs:
            known = connection.execute(
                "SELECT DISTINCT judge FROM current_judgements "
                "WHERE $1 IS NULL OR release = $1 ORDER BY ALL",
                [release],
            ).fetchall()
            of = f" of release {release}" if release else ""
            raise NotComparableError(
                f"judges {a} and {b}: no answer{of} was scored by both; choose two of: "
                + (", ".join(name for (name,) in known) or "none")
            )
    return agreement([(bool(one), bool(other)) for one, other in pairs])
