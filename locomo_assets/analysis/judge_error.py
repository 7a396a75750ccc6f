"""What a judge lets pass, and the accuracy corrected for it.

How often it accepts right and wrong answers is known from labelled answers (`judge_labels`), or
else from the canaries judged with the release. The corrected accuracy stands beside the raw one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.intervals import ALPHA, Cluster, clustered_mean
from locomo_assets.history import database
from locomo_assets.judging.judge import NO_WORDS, judge_alone

LEAST_LABELS = 10
"""So many answers labelled right, and so many labelled wrong, go before the canaries."""

_NEEDED = f"at least {LEAST_LABELS} of each are needed"
_SQL = Path(__file__).with_name("judge_error.sql")
_COVERAGE = Path(__file__).with_name("label_coverage.sql")
_KNOWN = """
SELECT source, judge, release, if(source = 'canaries', coalesce(system, 'unknown'), NULL),
    dataset_sha256
FROM judge_error_rates
"""
_DRAWS = 20_000
_SEED = 1978


@dataclass(frozen=True, slots=True)
class JudgeErrors:
    """Of answers known to be right, and of those known to be wrong, how many a judge accepted."""

    source: str  # labels, canaries
    right: int
    right_accepted: int
    wrong: int
    wrong_accepted: int

    @property
    def is_enough(self) -> bool:
        """Whether so many labels match that they are used."""
        return min(self.right, self.wrong) >= LEAST_LABELS

    def line(self) -> str:
        """In words."""
        return (
            f"by {self.source} the judge accepts {self.right_accepted} of {self.right} right "
            f"answers and {self.wrong_accepted} of {self.wrong} wrong ones"
        )


@dataclass(frozen=True, slots=True)
class CorrectedAccuracy:
    """An accuracy corrected for the judge's errors; None, and `why_none`, where it can't be had."""

    errors: JudgeErrors | None
    percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
    why_none: str | None = None

    def line(self) -> str:
        """In words, with its source."""
        if self.errors is None or self.percent is None:
            return f"accuracy corrected for the judge's errors: none, {self.why_none}"
        return (
            f"accuracy corrected for the judge's errors: {self.percent:.2f} % "
            f"({self.low_percent:.1f} – {self.high_percent:.1f}); {self.errors.line()}"
        )


def corrected_accuracy(database_path: Path, whole: Accuracy) -> CorrectedAccuracy:
    """The corrected accuracy of a series, by labels where there are enough, else by canaries."""
    parameters = {
        name: getattr(whole, name)
        for name in ("release", "system", "question_protocol", "judge", "dataset_sha256")
    }
    # Canaries have their own gold answers, whatever the judge was given for the questions.
    parameters |= {"judge_alone": judge_alone(whole.judge), "no_words": NO_WORDS}
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(encoding="utf-8"), parameters).fetchall()
    known = [JudgeErrors(*row[:5]) for row in rows if row[0] is not None]
    enough = [one for one in known if one.source != "labels" or one.is_enough]
    if known and not enough:
        (few,) = known
        why = f"only {few.right} right and {few.wrong} wrong labels match, {_NEEDED}"
        return CorrectedAccuracy(few, why_none=why)
    conversations = [Cluster(*counts) for counts in (rows[0][5] if rows else None) or ()]
    share = rows[0][6] if rows else None
    return correct(conversations, enough[0] if enough else None, 1.0 if share is None else share)


def with_known_errors(database_path: Path, wholes: Sequence[Accuracy]) -> list[Accuracy]:
    """Those of whose judge any errors are known, so that they may have a corrected accuracy."""
    with database.open_read_only(database_path) as connection:
        known = {*connection.execute(_KNOWN).fetchall()}
    return [
        one
        for one in wholes
        if ("labels", one.judge, None, None, one.dataset_sha256) in known
        or ("canaries", judge_alone(one.judge), one.release, one.system, None) in known
    ]


def judge_error_numbers(database_path: Path, whole: Accuracy) -> dict[str, float | str]:
    """The corrected accuracy of a valid series by name, for asset metadata, with its source."""
    found = corrected_accuracy(database_path, whole)
    if found.errors is None or not whole.valid:
        return {}
    numbers: dict[str, float | str | None] = {
        "accuracy_judge_corrected_percent": found.percent,
        "accuracy_judge_corrected_low_percent": found.low_percent,
        "accuracy_judge_corrected_high_percent": found.high_percent,
        "judge_errors_by": found.errors.source,
        "judge_errors": found.why_none or found.errors.line(),
    }
    return {name: value for name, value in numbers.items() if value is not None}


def label_coverage(database_path: Path, file_sha256: str) -> list[str]:
    """For each judge, how many of a file's labels apply to its verdicts; and what to do of those
    that apply to none.
    """
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_COVERAGE.read_text(encoding="utf-8"), [file_sha256]).fetchall()
    lines = []
    for judge, right, wrong, all_right, all_wrong in rows:
        if judge is not None:
            used = JudgeErrors("labels", all_right, 0, all_wrong, 0).is_enough
            lines.append(
                f"judge {judge}: has judged {right + wrong:,} of these answers ({right:,} right, "
                f"{wrong:,} wrong); "
                + ("its labels are used" if used else f"not used yet, {_NEEDED}")
            )
    unmatched = sum(right + wrong for judge, right, wrong, *_ in rows if judge is None)
    if unmatched:
        lines.append(
            f"{unmatched:,} of these answers have no verdict: the history has no such answer to "
            "the question, word by word, or no judge has judged it; `locomo-assets run --release "
            "R` with a judge's settings has it judge R's stored answers"
        )
    return lines


def correct(
    conversations: Sequence[Cluster], errors: JudgeErrors | None, judged_share: float = 1.0
) -> CorrectedAccuracy:
    """The accuracy by Rogan and Gladen (1978), with an interval of 95 %.

    `conversations` hold how many answers were scored and how many the judge accepted. It was asked
    about `judged_share` of them; the others have no words, and are wrong for sure. The interval
    is that of a parametric bootstrap: accuracy by its clustered standard error and Student's t,
    the judge's two shares by Jeffreys' Beta. It has the judge's uncertainty in it, and is cut to
    0 … 100 %.
    """
    if errors is None:
        return CorrectedAccuracy(None, why_none="no answer is labelled and no canary was judged")
    if not errors.right or not errors.wrong:
        kind = "wrong" if errors.right else "right"
        return CorrectedAccuracy(errors, why_none=f"no answer known to be {kind} was judged")
    import numpy as np  # a tenth of a second, and few histories know a judge's errors

    random = np.random.default_rng(_SEED)
    accepted = clustered_mean(conversations)
    if accepted.mean is None:
        return CorrectedAccuracy(errors, why_none="nothing was scored")
    if accepted.standard_error is None or accepted.degrees_of_freedom is None:
        total = accepted.mean * accepted.values
        raw = random.beta(total + 0.5, accepted.values - total + 0.5, _DRAWS)
    else:
        spread = random.standard_t(accepted.degrees_of_freedom, _DRAWS)
        raw = np.clip(accepted.mean + accepted.standard_error * spread, 0.0, 1.0)
    right, wrong = (
        random.beta(count + 0.5, of - count + 0.5, _DRAWS)
        for count, of in (
            (errors.right_accepted, errors.right),
            (errors.wrong_accepted, errors.wrong),
        )
    )
    if float(np.quantile(right - wrong, ALPHA / 2)) <= 0:
        return CorrectedAccuracy(
            errors,
            why_none="the judge is not known to accept right answers more often than wrong ones: "
            + errors.line(),
        )
    certain = np.maximum(right - wrong, 1e-9)
    drawn = np.clip((raw - wrong * judged_share) / certain, 0.0, judged_share)
    of_right, of_wrong = errors.right_accepted / errors.right, errors.wrong_accepted / errors.wrong
    point = (accepted.mean - of_wrong * judged_share) / (of_right - of_wrong)
    point = min(judged_share, max(0.0, point))
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return CorrectedAccuracy(
        errors,
        round(100 * point, 2),
        round(100 * min(float(low), point), 2),
        round(100 * max(float(high), point), 2),
    )
