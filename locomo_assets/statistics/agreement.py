"""Two judges on the same answers: how often, and how much more than by chance, they agree.

Here: pairs of verdicts. Which answers both have judged is `reporting.judges`'.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """The confusion table of two judges, A's verdict first, and what follows from it.

    `kappa` is Cohen's (1960), agreement beyond chance: None where chance alone would agree on
    all. `balanced_accuracy` takes A's verdicts as the truth: the mean of the shares of A's correct
    and of A's wrong that B gives too; None where A gave one kind only.
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
        """All that both have judged."""
        return self.both_correct + self.only_a_correct + self.only_b_correct + self.both_wrong


def agreement(pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    """Of pairs (A says correct, B says correct), one an answer."""
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
