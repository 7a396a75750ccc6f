"""The difference of two releases on the same questions, with its interval and tests.

What the tests say of B belongs to `decision`, what repeats say of the noise to `noise`.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from math import sqrt
from typing import NamedTuple

from locomo_assets.analysis.intervals import ALPHA, Cluster, Interval, clustered_mean

POWER = 0.8
DEFAULT_MARGIN = 0.01

FEW_CONVERSATIONS = 6
"""With fewer, the clustered test alone does not decide: it has too little to see a spread from."""

CLUSTERED = "clustered t test"
MCNEMAR = "exact McNemar"
QUESTIONS_T = "t test over questions"

_UNCHANGED = "no question changed"


class Pair(NamedTuple):
    """One question that both releases have scored.

    `correct_a` and `correct_b` are the newest verdicts. `mean_a` and `mean_b` are the shares of
    correct verdicts over all repeats, where there are several; None means the newest alone.
    """

    conversation: str
    correct_a: bool
    correct_b: bool
    mean_a: float | None = None
    mean_b: float | None = None

    @property
    def change(self) -> float:
        """B's share of correct verdicts minus A's."""
        return self.share_b - self.share_a

    @property
    def share_a(self) -> float:
        """How often A was correct, 0 to 1."""
        return float(self.correct_a) if self.mean_a is None else self.mean_a

    @property
    def share_b(self) -> float:
        """How often B was correct, 0 to 1."""
        return float(self.correct_b) if self.mean_b is None else self.mean_b


class Shift(NamedTuple):
    """What moves the difference of two whole runs beside their questions: its variance."""

    variance: float
    degrees_of_freedom: float


@dataclass(frozen=True, slots=True)
class PValues:
    """Of three questions: do they differ, are they equivalent, is B not worse than the margin.

    The last two are one-sided. None where the test can't be made.
    """

    differs: float | None
    equivalent: float | None
    not_worse: float | None


@dataclass(frozen=True, slots=True)
class Paired:
    """B against A, on the questions both have scored; `difference` is B's accuracy minus A's.

    Accuracies and the difference are means over the repeats, where there are several; `correct_a`,
    `correct_b`, `gains` (wrong in A, correct in B) and `losses` are of the newest verdicts.
    `interval` and `clustered_p` come from `standard_error`, which is clustered by conversation and
    contains a `shift_error` of whole runs where repeats showed one; they are None where `why_none`
    says why. `minimal_detectable_difference` is the true difference that 80 of 100 such comparisons
    would detect, None with few conversations. `deciding_test` names what decides and `p_values` are
    its p-values.
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
    degrees_of_freedom: float | None
    shift_error: float | None
    interval: Interval | None
    clustered_p: float | None
    minimal_detectable_difference: float | None
    mcnemar_p: float | None
    deciding_test: str | None
    deciding_p: float | None
    p_values: PValues
    why_none: str | None

    @property
    def is_unchanged(self) -> bool:
        """Whether no question changed, in any repeat."""
        return self.why_none == _UNCHANGED


def compare_pairs(
    pairs: Sequence[Pair], *, margin: float = DEFAULT_MARGIN, shift: Shift | None = None
) -> Paired:
    """Compares B with A on the pairs, in any order. `margin` is a share: 0.01 is one point.

    The clustered test decides, because the questions of a conversation rise and fall together.
    Tests that take questions as independent (exact McNemar on single verdicts, a t test on means
    of repeats) have p-values that are too small where that matters. But the clustered test needs
    conversations: below `FEW_CONVERSATIONS` both have to agree, so the larger p-value counts, and
    neither equivalent nor not worse is ever claimed. If all conversations changed by the same
    amount, other than zero, it has no spread to estimate from, and the other test decides.
    """
    gains = sum(pair.correct_b and not pair.correct_a for pair in pairs)
    losses = sum(pair.correct_a and not pair.correct_b for pair in pairs)
    changes = clustered_mean(_by_conversation(pairs), least=-1.0)
    difference = changes.mean
    clustered = _Test.of_clusters(changes.standard_error, changes.degrees_of_freedom, shift)
    single = all(pair.mean_a is None and pair.mean_b is None for pair in pairs)
    by_question = _by_question(pairs, single, gains, losses, margin)
    name = MCNEMAR if single else QUESTIONS_T
    alike = clustered is None and bool(difference) and changes.clusters > 1
    few = changes.clusters < FEW_CONVERSATIONS
    unchanged = bool(pairs) and all(pair.change == 0 for pair in pairs) and not gains + losses
    p_values, test = PValues(None, None, None), None
    if unchanged:
        p_values = _nothing_changed(len(pairs), changes.clusters, margin)
    elif difference is not None and clustered is not None:
        p_values, test = clustered.p_values(difference, margin), CLUSTERED
        if few:
            p_values = PValues(_larger(p_values.differs, by_question.differs), None, None)
            test = f"{CLUSTERED} and {name}"
    elif difference is not None and alike:
        p_values, test = PValues(by_question.differs, None, None) if few else by_question, name
    return Paired(
        questions=len(pairs),
        conversations=changes.clusters,
        correct_a=sum(pair.correct_a for pair in pairs),
        correct_b=sum(pair.correct_b for pair in pairs),
        accuracy_a=_mean([pair.share_a for pair in pairs]),
        accuracy_b=_mean([pair.share_b for pair in pairs]),
        gains=gains,
        losses=losses,
        difference=difference,
        standard_error=clustered.error if clustered else None,
        degrees_of_freedom=clustered.freedom if clustered else None,
        shift_error=sqrt(shift.variance) if shift else None,
        interval=clustered.interval(difference or 0.0) if clustered else None,
        clustered_p=clustered.p_values(difference or 0.0, margin).differs if clustered else None,
        minimal_detectable_difference=clustered.detectable if clustered and not few else None,
        mcnemar_p=_mcnemar_p(gains, losses) if pairs else None,
        deciding_test=test,
        deciding_p=p_values.differs,
        p_values=p_values,
        why_none=_why_none(changes.why_none, unchanged),
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values, adjusted by Holm for their number; None stays and is not counted."""
    # Here and not by statsmodels, which collects all garbage in each call: 0.2 s.
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, (len(known) - rank) * p)
        adjusted[place] = min(1.0, largest)
    return adjusted


def holm_each(families: Sequence[PValues]) -> list[PValues]:
    """Each of the three questions adjusted for how many times it is asked."""
    by_question = zip(*map(astuple, families), strict=True)
    adjusted = zip(*(holm(one) for one in by_question), strict=True)
    return [PValues(*one) for one in adjusted]


@dataclass(frozen=True, slots=True)
class _Test:
    """A t test of a difference with this standard error."""

    error: float
    freedom: float

    @classmethod
    def of_clusters(
        cls, error: float | None, freedom: float | None, shift: Shift | None
    ) -> "_Test | None":
        """The clustered one, and a shift of whole runs beside it; Satterthwaite's degrees."""
        if error is None or freedom is None:
            return None
        if shift is None or shift.variance == 0:
            return cls(error, freedom)
        whole = error**2 + shift.variance
        parts = error**4 / freedom + shift.variance**2 / shift.degrees_of_freedom
        return cls(sqrt(whole), whole**2 / parts)

    def p_values(self, difference: float, margin: float) -> PValues:
        """Schuirmann 1987: equivalent if both one-sided tests reject."""
        from scipy.special import stdtr

        below = float(stdtr(self.freedom, -(difference + margin) / self.error))
        above = float(stdtr(self.freedom, (difference - margin) / self.error))
        differs = float(2 * stdtr(self.freedom, -abs(difference) / self.error))
        return PValues(differs, max(below, above), below)

    def interval(self, difference: float) -> Interval:
        from scipy.special import stdtrit

        reach = float(stdtrit(self.freedom, 1 - ALPHA / 2)) * self.error
        return Interval(max(-1.0, difference - reach), min(1.0, difference + reach))

    @property
    def detectable(self) -> float:
        """Bloom 1995: the smallest true difference that the test detects with this power."""
        from scipy.special import stdtrit

        quantiles = stdtrit(self.freedom, 1 - ALPHA / 2) + stdtrit(self.freedom, POWER)
        return float(quantiles) * self.error


def _by_question(
    pairs: Sequence[Pair], single: bool, gains: int, losses: int, margin: float
) -> PValues:
    """The tests that take questions as independent."""
    count = len(pairs)
    if count < 2:
        return PValues(None, None, None)
    changes = [pair.change for pair in pairs]
    mean = sum(changes) / count
    error = sqrt(sum((change - mean) ** 2 for change in changes) / (count - 1) / count)
    # Where every question changed alike, there is no spread.
    found = _Test(error, count - 1).p_values(mean, margin) if error else PValues(None, None, None)
    return replace(found, differs=_mcnemar_p(gains, losses)) if single else found


def _larger(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)


def _nothing_changed(questions: int, conversations: int, margin: float) -> PValues:
    """No change in so many questions: how likely that is if a share of `margin` changes."""
    if conversations < FEW_CONVERSATIONS:
        return PValues(1.0, None, None)
    p = (1 - margin) ** questions
    return PValues(1.0, p, p)


def _by_conversation(pairs: Sequence[Pair]) -> list[Cluster]:
    changes: dict[str, list[float]] = {}
    for pair in pairs:
        changes.setdefault(pair.conversation, []).append(pair.change)
    return [Cluster(len(values), sum(values)) for _, values in sorted(changes.items())]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _mcnemar_p(gains: int, losses: int) -> float:
    from scipy.special import betainc

    if not gains and not losses:
        return 1.0
    # The binomial's lower tail; scipy.stats and statsmodels have it under its name, and take
    # more than a second to import.
    fewer = min(gains, losses)
    return min(1.0, 2 * float(betainc(gains + losses - fewer, fewer + 1, 0.5)))


def _why_none(why: str | None, unchanged: bool) -> str | None:
    if unchanged:
        return _UNCHANGED
    if why and why.startswith("all conversations"):
        return "all conversations changed by the same amount: their spread is not seen"
    return why
