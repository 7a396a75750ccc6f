"""May a release follow the one before? A decision on a comparison, and the numbers behind it.

Here: the decision alone. Whoever runs it as a check decides which release came before.
"""

from dataclasses import dataclass

from locomo_assets.reporting.comparison import Comparison
from locomo_assets.statistics.words import Word


@dataclass(frozen=True, slots=True)
class Decision:
    """Passed or not, with what was expected and what was found, as sentences."""

    passed: bool
    expected: str
    actual: str


def not_significantly_below(comparison: Comparison) -> Decision:
    """Passes unless B, the release in question, is called worse than A, overall.

    "Cannot tell" passes: a check that fails on what can't be told would fail on every small run.
    """
    a, b, overall = comparison.a.release, comparison.b.release, comparison.overall
    paired = overall.paired
    accuracies = [
        "not scored" if one is None else f"{one * 100:.2f} %"
        for one in (paired.accuracy_a, paired.accuracy_b)
    ]
    return Decision(
        passed=overall.verdict.word != Word.WORSE,
        expected=f"{b} not worse than {a} ({accuracies[0]})",
        actual=f"{b} ({accuracies[1]}), {paired.questions} questions: {overall.verdict.word}; "
        f"{overall.verdict.because}",
    )
