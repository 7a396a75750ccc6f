"""The difference of two releases on the same questions, with its interval and tests.

Whether the difference makes B better belongs to `decision`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from locomo_assets.analysis.intervals import ALPHA, Cluster, Interval, clustered_mean

POWER = 0.8
CLUSTERED = "clustered t test"
MCNEMAR = "exact McNemar"


class Pair(NamedTuple):
    """One question that both releases have scored."""

    conversation: str
    correct_a: bool
    correct_b: bool


@dataclass(frozen=True, slots=True)
class Paired:
    """B against A, on the questions both have scored; `difference` is B's accuracy minus A's.

    `gains` are questions wrong in A and correct in B, `losses` the reverse. `interval` and
    `clustered_p` come from `standard_error`, which is clustered by conversation; all three are
    None where `why_none` says why. `minimal_detectable_difference` is the true difference that
    80 of 100 such comparisons would detect. `deciding_test` names the test that decides and
    `deciding_p` is its p-value; None where neither can. Without questions all is None.
    """

    questions: int
    conversations: int
    correct_a: int
    correct_b: int
    accuracy_a: float | None
    accuracy_b: float | None
    gains: int
    losses: int
    difference: float | None
    standard_error: float | None
    interval: Interval | None
    clustered_p: float | None
    minimal_detectable_difference: float | None
    mcnemar_p: float | None
    deciding_test: str | None
    deciding_p: float | None
    why_none: str | None


def compare_pairs(pairs: Sequence[Pair]) -> Paired:
    """Compares B with A on the pairs, in any order.

    The exact McNemar test takes the questions as independent. Where the questions of a
    conversation rise and fall together, its p-value is too small. The clustered test does not
    assume that, so it decides. McNemar decides only where all conversations changed by the same
    amount, other than zero: the clustered test then has no spread to estimate from.
    """
    from scipy.stats import t

    gains = sum(pair.correct_b and not pair.correct_a for pair in pairs)
    losses = sum(pair.correct_a and not pair.correct_b for pair in pairs)
    changes = clustered_mean(_by_conversation(pairs), least=-1.0)
    error, difference = changes.standard_error, changes.mean
    p = detectable = None
    if error is not None and difference is not None:
        freedom = changes.clusters - 1
        p = float(2 * t.sf(abs(difference) / error, freedom))
        # Bloom 1995: the smallest true difference that the test detects with this power
        detectable = float(t.ppf(1 - ALPHA / 2, freedom) + t.ppf(POWER, freedom)) * error
    mcnemar_p = _mcnemar_p(gains, losses) if pairs else None
    alike = p is None and bool(difference) and changes.clusters > 1
    correct_a = sum(pair.correct_a for pair in pairs)
    correct_b = sum(pair.correct_b for pair in pairs)
    return Paired(
        questions=len(pairs),
        conversations=changes.clusters,
        correct_a=correct_a,
        correct_b=correct_b,
        accuracy_a=correct_a / len(pairs) if pairs else None,
        accuracy_b=correct_b / len(pairs) if pairs else None,
        gains=gains,
        losses=losses,
        difference=difference,
        standard_error=error,
        interval=changes.interval,
        clustered_p=p,
        minimal_detectable_difference=detectable,
        mcnemar_p=mcnemar_p,
        deciding_test=CLUSTERED if p is not None else MCNEMAR if alike else None,
        deciding_p=mcnemar_p if alike else p,
        why_none=_why_none(changes.why_none, difference, gains + losses),
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values, adjusted by Holm for their number; None stays and is not counted."""
    from statsmodels.stats.multitest import multipletests

    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    adjusted = iter(multipletests(known, alpha=ALPHA, method="holm")[1])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def _by_conversation(pairs: Sequence[Pair]) -> list[Cluster]:
    changes: dict[str, list[int]] = {}
    for pair in pairs:
        changes.setdefault(pair.conversation, []).append(pair.correct_b - pair.correct_a)
    return [Cluster(len(values), sum(values)) for _, values in sorted(changes.items())]


def _mcnemar_p(gains: int, losses: int) -> float:
    from statsmodels.stats.contingency_tables import mcnemar

    # The concordant cells have no part in the exact test.
    return min(1.0, float(mcnemar([[0, losses], [gains, 0]], exact=True).pvalue))


def _why_none(why: str | None, difference: float | None, changed: int) -> str | None:
    if difference is not None and not changed:
        return "no question changed"
    if why and difference is not None and why.startswith("all conversations"):
        return "all conversations changed by the same amount: their spread is not seen"
    return why
