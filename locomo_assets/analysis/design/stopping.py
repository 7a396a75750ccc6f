"""One look at a release that is being measured: is it better, worse or equivalent already?"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.measured import BothMeasured, Measured, read_questions
from locomo_assets.analysis.comparison.noise import Question
from locomo_assets.analysis.comparison.paired import Paired, compare_pairs
from locomo_assets.analysis.comparison.series import (
    NotComparableError,
    Series,
    UnknownReleaseError,
    choose_series,
    read_series,
    refuse_unknown,
)
from locomo_assets.analysis.design.sequential import LOOKS, bounds, conclude
from locomo_assets.history import database
from locomo_assets.judging.judge import judge_alone


@dataclass(frozen=True, slots=True)
class Look:
    """What look `number` (from 1) said on its `questions`, of `of_questions` in all."""

    number: int
    questions: int
    of_questions: int
    decision: Conclusion
    paired: Paired

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to be asked."""
        return self.number == len(LOOKS)

    @property
    def ends(self) -> bool:
        """Whether the measuring ends with it."""
        return self.is_last or self.decision is not Conclusion.CANNOT_TELL


def look(
    database_path: Path,
    against: str,
    series: Mapping[str, str],
    *,
    number: int,
    asked: Collection[Question],
    of_questions: int,
    margin_points: float,
) -> Look:
    """Compares a release with `against` on the questions `asked` by this look, and on no others.

    `series` is what was judged, as `Series.parameters`. A look must say the same whatever the
    verdicts of unanswered questions would have been.
    """
    with database.open_read_only(database_path) as connection:
        (first, second), _ = choose_series(
            connection,
            against,
            series["release"],
            judge=series["judge"],
            question_protocol=series["question_protocol"],
            intersection=False,
        )
        both = BothMeasured(
            Measured(connection, first, read_questions(connection, first)),
            Measured(connection, second, read_questions(connection, second)),
        )
    keys = sorted(set(asked) & both.a.questions.keys() & both.b.questions.keys())
    margin = margin_points / 100
    observed = compare_pairs(both.pairs(keys), margin=margin)
    evidence = [observed]
    if len(both.pairs(keys)) < len(keys):
        evidence += [
            compare_pairs(both.bound_pairs(keys, for_b=for_b), margin=margin)
            for for_b in (False, True)
        ]
    decision = conclude(evidence, bounds()[number - 1])
    return Look(number, len(asked), of_questions, decision, observed)


def check_against(
    database_path: Path,
    against: str,
    *,
    question_protocol: str,
    judge: str,
    corrected: bool,
    dataset_sha256: str,
    asked: Collection[Question],
) -> None:
    """Refuses a release that can't be compared with what is to be measured, before it is paid for.

    `judge` is the judge's name without its server.

    Raises:
        UnknownReleaseError: the history has no verdicts of it.
        NotComparableError: it was measured otherwise, or not on all these questions.
    """
    if not database_path.exists():
        raise UnknownReleaseError(f"release {against}: nothing is measured yet; measure it first")
    with database.open_read_only(database_path) as connection:
        series = read_series(connection, against)
        refuse_unknown(connection, [against], series)
        alike = [
            one
            for one in series
            if one.question_protocol == question_protocol
            and one.dataset_sha256 == dataset_sha256
            and (one.gold != "published") == corrected
            and f":{judge_alone(one.judge)}".endswith(f":{judge}")
        ]
        if not alike:
            raise NotComparableError(
                f"release {against} can't be compared with what would be measured: it has no "
                f"verdicts by {judge} on questions asked by {question_protocol} of data set "
                f"{dataset_sha256[:12]}; run it under these settings first"
            )
        missing = min(_missing(connection, one, asked) for one in alike)
    if missing:
        raise NotComparableError(
            f"release {against} was not asked {missing} of the {len(asked)} questions; run it "
            "without a limit first"
        )


def _missing(
    connection: duckdb.DuckDBPyConnection, series: Series, asked: Collection[Question]
) -> int:
    return len(set(asked) - read_questions(connection, series).keys())
