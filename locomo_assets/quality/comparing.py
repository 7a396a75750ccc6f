"""Whether a release's judge is to be trusted, and whether the release fell behind.

Here: findings on what `reporting` reads: the canaries' shares and the comparison with the release
before.
"""

from collections.abc import Mapping
from pathlib import Path

from locomo_assets.quality.finding import Finding
from locomo_assets.reporting.accuracy import Accuracy
from locomo_assets.reporting.comparison import compare
from locomo_assets.reporting.errors import ReportingError
from locomo_assets.reporting.release_check import not_significantly_below

MIN_RIGHT_ACCEPTED_PERCENT = 80.0
MAX_WRONG_ACCEPTED_PERCENT = 20.0
"""Published: specific wrong answers pass a generous prompt 10.6 % of the time."""


def judge_canaries(numbers: Mapping[str, float]) -> Finding:
    """On `reporting.canaries.canary_numbers`. Vague answers are told, and decide nothing: what a
    generous prompt is to let pass, a strict one is to refuse.
    """
    right = numbers.get("canaries_right_accepted_percent")
    wrong = numbers.get("canaries_wrong_accepted_percent")
    expected = (
        f"at least {MIN_RIGHT_ACCEPTED_PERCENT:g} % of the right canaries accepted, at most "
        f"{MAX_WRONG_ACCEPTED_PERCENT:g} % of the wrong ones"
    )
    if right is None or wrong is None:
        return Finding(True, expected, "no canaries were judged with this release", grave=False)
    vague = numbers.get("canaries_vague_accepted_percent")
    return Finding(
        right >= MIN_RIGHT_ACCEPTED_PERCENT and wrong <= MAX_WRONG_ACCEPTED_PERCENT,
        expected,
        f"{right:g} % of the right, {wrong:g} % of the wrong"
        + ("" if vague is None else f", {vague:g} % of the vague ones"),
        dict(numbers),
        grave=False,
    )


def not_below_previous(lens_path: Path, row: Accuracy, previous: str | None) -> Finding:
    """The release's series against the same of the release before it."""
    expected = "not worse than the release before it"
    if previous is None:
        return Finding(True, expected, "the first release of its series", grave=False)
    try:
        comparison = compare(
            lens_path,
            previous,
            row.release,
            judge=row.judge,
            question_protocol=row.question_protocol,
        )
    except ReportingError as error:
        return Finding(True, expected, f"not compared: {error}", grave=False)
    decision = not_significantly_below(comparison)
    return Finding(decision.passed, decision.expected, decision.actual, grave=False)
