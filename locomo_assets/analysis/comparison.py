"""The comparison of two releases: overall, by category, and each question that flipped."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from locomo_assets.analysis.decision import Conclusion, Decision, decide
from locomo_assets.analysis.noise import NoiseFloor, common_floor, exceeds, noise_floor
from locomo_assets.analysis.paired import Pair, Paired, compare_pairs, holm
from locomo_assets.analysis.series import NotComparableError, Series, choose_series
from locomo_assets.history import database
from locomo_assets.locomo.model import ADVERSARIAL, OFFICIAL_NAMES, VENDOR_NAMES
from locomo_assets.prices import STANDIN

_FOLDER = Path(__file__).parent
_SCORED = {"correct": True, "wrong": False}

Key = tuple[str, int]
"""A question: its conversation, and its position in that conversation from 0."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two releases. `models` gave the answers, the one with most answers first.

    `asked` counts the questions of this series, and `only_here` those that the other lacks.
    `not_scored` counts the common questions without a verdict of correct or wrong on this side.
    """

    release: str
    system: str
    dataset_sha256: str
    models: tuple[str, ...]
    asked: int
    only_here: int
    not_scored: int


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise floors of both releases and the larger of the two, `floor`.

    `exceeded` says whether the difference is above it; None where no floor is known.
    """

    a: NoiseFloor
    b: NoiseFloor
    floor: float | None
    exceeded: bool | None


@dataclass(frozen=True, slots=True)
class CategoryComparison:
    """The comparison on one category, or over all scored categories (`category` None).

    `p_holm` is the deciding p-value adjusted for the number of categories; None over all of them.
    """

    category: int | None
    name: str
    vendor_name: str
    paired: Paired
    p_holm: float | None
    noise: Noise
    verdict: Decision


@dataclass(frozen=True, slots=True)
class EvidenceTurn:
    """A turn that a question's evidence names; speaker and text are None if it is not stored."""

    dia_id: str
    speaker: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class RetrievedMemory:
    """A memory retrieved for an answer, by rank from 1; `dia_ids` are the turns it came from."""

    rank: int
    memory_id: str | None
    memory: str | None
    score: float | None
    dia_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """A question whose verdict changed: `flip` is `gained` (wrong in A, correct in B) or `lost`.

    `retrieved_a` and `retrieved_b` are ordered by rank.
    """

    conversation: str
    question_index: int
    category: int
    flip: str
    question: str
    gold_answer: str | None
    answer_a: str | None
    answer_b: str | None
    reasoning_a: str | None
    reasoning_b: str | None
    evidence: tuple[EvidenceTurn, ...]
    retrieved_a: tuple[RetrievedMemory, ...]
    retrieved_b: tuple[RetrievedMemory, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A. `overall` is over categories 1–4; `categories` has 5 only where both have it.

    `notes` say what a reader must know: what differs, was left out or was chosen.
    """

    a: Side
    b: Side
    judge: str
    question_protocol: str
    overall: CategoryComparison
    categories: tuple[CategoryComparison, ...]
    flips: tuple[Flip, ...]
    notes: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The decision as a sentence."""
        a, b, decision = self.a.release, self.b.release, self.overall.verdict
        if decision.word is Conclusion.CANNOT_TELL:
            return f"Cannot tell whether {b} is better or worse than {a}: {decision.because}."
        return f"{b} is {decision.word} than {a}: {decision.because}."


def compare(
    database_path: Path,
    a: str,
    b: str,
    *,
    judge: str | None = None,
    question_protocol: str | None = None,
    intersection: bool = False,
) -> Comparison:
    """Compares release B with release A, on the questions both have scored.

    Raises:
        UnknownReleaseError: a release has no verdicts.
        NotComparableError: judge, question protocol, data set or questions differ. With
            `intersection` the last two may.
    """
    with database.open_read_only(database_path) as connection:
        (first, second), notes = choose_series(
            connection,
            a,
            b,
            judge=judge,
            question_protocol=question_protocol,
            intersection=intersection,
        )
        questions_a, questions_b = _questions(connection, first), _questions(connection, second)
        notes += _without_lone_adversarial(first, questions_a, second, questions_b)
        common = _common(questions_a, questions_b)
        if not intersection:
            _refuse_other_questions(first, questions_a, second, questions_b, common)
        side_a = _side(first, questions_a, common)
        side_b = _side(second, questions_b, common)
        pairs = {
            key: (questions_a[key]["category"], Pair(key[0], correct_a, correct_b))
            for key in common
            if (correct_a := _SCORED.get(questions_a[key]["verdict"])) is not None
            and (correct_b := _SCORED.get(questions_b[key]["verdict"])) is not None
        }
        repeats_a, repeats_b = _Repeats(connection, first), _Repeats(connection, second)
        flips = _flips(connection, first, second)
    overall, categories = _compare_categories(pairs, repeats_a, repeats_b)
    return Comparison(
        a=side_a,
        b=side_b,
        judge=first.judge,
        question_protocol=first.question_protocol,
        overall=overall,
        categories=categories,
        flips=tuple(one for one in flips if (one.conversation, one.question_index) in pairs),
        notes=(*notes, *_side_notes(side_a, side_b), *repeats_a.notes(), *repeats_b.notes()),
    )


def _questions(
    connection: duckdb.DuckDBPyConnection, series: Series
) -> dict[Key, Mapping[str, Any]]:
    found = connection.execute(
        (_FOLDER / "compared_questions.sql").read_text(), series.parameters()
    )
    names = [column[0] for column in found.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in found.fetchall())
    return {(row["conversation"], row["question_index"]): row for row in rows}


def _without_lone_adversarial(
    first: Series,
    questions_a: dict[Key, Mapping[str, Any]],
    second: Series,
    questions_b: dict[Key, Mapping[str, Any]],
) -> list[str]:
    """Drops category 5 where only one side was asked it; it is not part of the score."""
    asked = [
        [key for key, row in questions.items() if row["category"] == ADVERSARIAL]
        for questions in (questions_a, questions_b)
    ]
    if bool(asked[0]) == bool(asked[1]):
        return []
    with_it, questions, keys = (
        (first, questions_a, asked[0]) if asked[0] else (second, questions_b, asked[1])
    )
    for key in keys:
        del questions[key]
    return [f"category 5 (adversarial) is left out: only {with_it.release} was asked it"]


def _common(
    questions_a: Mapping[Key, Mapping[str, Any]], questions_b: Mapping[Key, Mapping[str, Any]]
) -> list[Key]:
    def same(key: Key) -> bool:
        one, other = questions_a[key], questions_b[key]
        return all(one[name] == other[name] for name in ("question", "gold_answer", "category"))

    return sorted(key for key in questions_a.keys() & questions_b.keys() if same(key))


def _refuse_other_questions(
    first: Series,
    questions_a: Mapping[Key, object],
    second: Series,
    questions_b: Mapping[Key, object],
    common: Sequence[Key],
) -> None:
    if len(common) == len(questions_a) == len(questions_b):
        return
    raise NotComparableError(
        f"releases {first.release} and {second.release} were asked different questions: "
        f"{len(questions_a) - len(common)} only {first.release}, "
        f"{len(questions_b) - len(common)} only {second.release}, {len(common)} both; "
        + (
            "--intersection compares the common ones"
            if common
            else "measure one of them on the other's questions"
        )
    )


def _side(
    series: Series, questions: Mapping[Key, Mapping[str, Any]], common: Sequence[Key]
) -> Side:
    models = Counter(row["model"] for row in questions.values() if row["model"])
    return Side(
        release=series.release,
        system=series.system,
        dataset_sha256=series.dataset_sha256,
        models=tuple(name for name, _ in models.most_common()),
        asked=len(questions),
        only_here=len(questions) - len(common),
        not_scored=sum(questions[key]["verdict"] not in _SCORED for key in common),
    )


def _side_notes(*sides: Side) -> list[str]:
    notes = []
    if len({side.models for side in sides}) > 1:
        models = (f"{side.release} by {', '.join(side.models) or 'unknown'}" for side in sides)
        notes.append(f"the answering models differ: {'; '.join(models)}")
    for side in sides:
        if side.only_here:
            notes.append(
                f"left out: {side.only_here} of {side.asked} questions only {side.release} has"
            )
    for side in sides:
        if side.not_scored:
            notes.append(
                f"left out: {side.not_scored} questions without a verdict in {side.release} "
                "(unanswered, unscored or not judged)"
            )
    standins = sorted(side.release for side in sides if side.system == STANDIN)
    if standins:
        notes.append(f"{' and '.join(standins)}: the packaged stand-in, no real service")
    return notes


def _flips(connection: duckdb.DuckDBPyConnection, first: Series, second: Series) -> list[Flip]:
    """The flips from one series to the other, by category, conversation and question."""
    given = {
        "a": first.release,
        "b": second.release,
        "judge": first.judge,
        "question_protocol": first.question_protocol,
        "system_a": first.system,
        "system_b": second.system,
        "dataset_a": first.dataset_sha256,
        "dataset_b": second.dataset_sha256,
    }
    found = connection.execute((_FOLDER / "compared_flips.sql").read_text(), given)
    names = [column[0] for column in found.description or ()]
    return [_flip(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def _flip(row: dict[str, Any]) -> Flip:
    evidence = tuple(EvidenceTurn(**turn) for turn in row.pop("evidence"))
    retrieved_a = tuple(_memory(one) for one in row.pop("retrieved_a"))
    retrieved_b = tuple(_memory(one) for one in row.pop("retrieved_b"))
    return Flip(**row, evidence=evidence, retrieved_a=retrieved_a, retrieved_b=retrieved_b)


def _memory(row: Mapping[str, Any]) -> RetrievedMemory:
    return RetrievedMemory(**{**row, "dia_ids": tuple(row["dia_ids"] or ())})


class _Repeats:
    """All scored repeats of a series' questions, newest first."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, series: Series) -> None:
        self._release = series.release
        rows = connection.execute(
            (_FOLDER / "compared_repeats.sql").read_text(), series.parameters()
        ).fetchall()
        self._by_repeat: dict[int, dict[Key, bool]] = {}
        memories: dict[Key, list[str | None]] = {}
        for conversation, index, repeat, correct, ingestion_id in rows:
            key = (conversation, index)
            self._by_repeat.setdefault(repeat, {})[key] = correct
            memories.setdefault(key, []).append(ingestion_id)
        self._shared = any(len(set(ids)) < len(ids) for ids in memories.values())

    def floor(self, keys: set[Key]) -> NoiseFloor:
        """The noise floor of just these questions."""
        repeats = [
            {key: correct for key, correct in self._by_repeat[number].items() if key in keys}
            for number in sorted(self._by_repeat)
        ]
        return noise_floor([one for one in repeats if one], len(keys))

    def notes(self) -> list[str]:
        """What the noise floor leaves out."""
        if not self._shared:
            return []
        return [
            f"repeats of {self._release} share a memory: its noise floor is that of answering, "
            "not of ingesting again"
        ]


def _compare_categories(
    pairs: Mapping[Key, tuple[int, Pair]], repeats_a: _Repeats, repeats_b: _Repeats
) -> tuple[CategoryComparison, tuple[CategoryComparison, ...]]:
    def compared(category: int | None, name: str, vendor_name: str) -> CategoryComparison:
        keys = {
            key
            for key, (own, _) in pairs.items()
            if (own == category if category else own != ADVERSARIAL)
        }
        paired = compare_pairs([pairs[key][1] for key in sorted(keys)])
        noises = repeats_a.floor(keys), repeats_b.floor(keys)
        floor = common_floor(noises)
        noise = Noise(*noises, floor, exceeds(paired.difference, floor))
        return CategoryComparison(
            category, name, vendor_name, paired, None, noise, decide(paired, floor)
        )

    present = sorted({category for category, _ in pairs.values()})
    categories = [compared(one, OFFICIAL_NAMES[one], VENDOR_NAMES[one]) for one in present]
    adjusted = holm([one.paired.deciding_p for one in categories])
    return compared(None, "all scored", "overall"), tuple(
        replace(one, p_holm=p, verdict=decide(one.paired, one.noise.floor, p_adjusted=p))
        for one, p in zip(categories, adjusted, strict=True)
    )
