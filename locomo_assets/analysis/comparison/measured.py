"""What the history holds of two releases' questions: every scored repeat of each, side by side."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from locomo_assets.analysis.comparison.noise import (
    FlipRate,
    Measurement,
    NoiseFloor,
    Question,
    noise_floor,
)
from locomo_assets.analysis.comparison.paired import Pair
from locomo_assets.analysis.comparison.series import Series

SCORED = {"correct": True, "wrong": False}

_FOLDER = Path(__file__).parent


def read_questions(
    connection: duckdb.DuckDBPyConnection, series: Series
) -> dict[Question, Mapping[str, Any]]:
    """Every question asked in a series, with its newest verdict."""
    found = connection.execute(_sql("compared_questions"), series.parameters())
    names = [column[0] for column in found.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in found.fetchall())
    return {(row["conversation"], row["question_index"]): row for row in rows}


class Share(NamedTuple):
    """How one side did on a question: over its repeats, and if what is missing was wrong or right.

    `newest` is its newest verdict, or what most repeats say where that one is missing.
    """

    newest: bool
    mean: float
    low: float
    high: float


class Measured:
    """The scored measurements of a series' questions, by repeat; 1 is the newest."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        series: Series,
        questions: Mapping[Question, Mapping[str, Any]],
    ) -> None:
        self.questions = questions
        self._release = series.release
        given = series.parameters()
        rows = connection.execute(_sql("compared_repeats"), given).fetchall()
        pairs, flips = connection.execute(_sql("compared_judgings"), given).fetchall()[0]
        self._judging = FlipRate(pairs, flips / pairs if pairs else None)
        self._by_repeat: dict[int, dict[Question, Measurement]] = {}
        self._verdicts: dict[Question, list[bool]] = {}
        memories: dict[Question, list[str | None]] = {}
        for conversation, index, repeat, correct, ingestion_id in rows:
            key = (conversation, index)
            self._by_repeat.setdefault(repeat, {})[key] = Measurement(correct, ingestion_id)
            self._verdicts.setdefault(key, []).append(correct)
            memories.setdefault(key, []).append(ingestion_id)
        self._shared = any(len(set(ids)) < len(ids) for ids in memories.values())

    def share(self, key: Question) -> Share | None:
        """None where no measurement of the question has a verdict."""
        verdicts = self._verdicts.get(key, [])
        newest = SCORED.get(self.questions[key]["verdict"])
        if newest is not None and not verdicts:
            verdicts = [newest]
        if not verdicts:
            return None
        correct, scored = sum(verdicts), len(verdicts)
        asked = scored + (newest is None)
        mean = correct / scored
        most = mean > 0.5 if newest is None else newest
        return Share(most, mean, correct / asked, (correct + asked - scored) / asked)

    def noise(self, keys: set[Question]) -> NoiseFloor:
        """The noise on just these questions."""
        repeats = [
            {key: one for key, one in self._by_repeat[number].items() if key in keys}
            for number in sorted(self._by_repeat)
        ]
        return noise_floor([one for one in repeats if one], len(keys), self._judging)

    def notes(self) -> list[str]:
        """What its repeats leave out."""
        if not self._shared:
            return []
        return [
            f"repeats of {self._release} share a memory: their noise is that of answering, "
            "not of ingesting again"
        ]


_NO_VERDICT = Share(False, 0.0, 0.0, 1.0)


class BothMeasured(NamedTuple):
    """The measurements of both releases of a comparison, the earlier one first."""

    a: Measured
    b: Measured

    def is_scored(self, key: Question) -> bool:
        """Whether both have a verdict on the question."""
        return self.a.share(key) is not None and self.b.share(key) is not None

    def pairs(self, keys: Iterable[Question]) -> list[Pair]:
        """The questions that both have scored."""
        found = []
        for key in keys:
            one, other = self.a.share(key), self.b.share(key)
            if one is not None and other is not None:
                found.append(Pair(key[0], one.newest, other.newest, one.mean, other.mean))
        return found

    def bound_pairs(self, keys: Iterable[Question], *, for_b: bool) -> list[Pair]:
        """All questions, with what is missing counted for B, or against it."""
        found = []
        for key in keys:
            one, other = self.a.share(key) or _NO_VERDICT, self.b.share(key) or _NO_VERDICT
            a, b = (one.low, other.high) if for_b else (one.high, other.low)
            found.append(Pair(key[0], a > 0.5, b > 0.5, a, b))
        return found


def _sql(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
