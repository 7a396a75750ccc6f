"""The questions whose verdict changed between two releases, with what is known on both sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from locomo_assets.analysis.comparison.bridge import Trace, step_of
from locomo_assets.analysis.comparison.series import Series

_SQL = Path(__file__).with_name("compared_flips.sql")


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

    `retrieved_a` and `retrieved_b` are ordered by rank. `step` is where it was lost or gained (a
    name in `bridge.STEPS`), `reason` and `detail` are those of the wrong side in `diagnosis`.
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
    reason: str
    detail: str | None
    step: str


def read_flips(connection: duckdb.DuckDBPyConnection, first: Series, second: Series) -> list[Flip]:
    """The flips from one series to the other, by category, conversation and question."""
    given = {
        "a": first.release,
        "b": second.release,
        "judge_a": first.judge,
        "judge_b": second.judge,
        "question_protocol_a": first.question_protocol,
        "question_protocol_b": second.question_protocol,
        "system_a": first.system,
        "system_b": second.system,
        "dataset_a": first.dataset_sha256,
        "dataset_b": second.dataset_sha256,
    }
    found = connection.execute(_SQL.read_text(encoding="utf-8"), given)
    names = [column[0] for column in found.description or ()]
    return [_flip(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def _flip(row: dict[str, Any]) -> Flip:
    evidence = tuple(EvidenceTurn(**turn) for turn in row.pop("evidence"))
    retrieved_a = tuple(_memory(one) for one in row.pop("retrieved_a"))
    retrieved_b = tuple(_memory(one) for one in row.pop("retrieved_b"))
    step = step_of(
        _trace(row, "right"),
        _trace(row, "wrong"),
        reason_wrong=row["reason"],
        same_answer=_same(row["answer_a"], row["answer_b"]),
    )
    return Flip(
        **row, evidence=evidence, retrieved_a=retrieved_a, retrieved_b=retrieved_b, step=step
    )


def _trace(row: dict[str, Any], side: str) -> Trace:
    stage, stored, retrieved = (
        row.pop(f"{name}_{side}") for name in ("stage", "stored", "retrieved")
    )
    return Trace(stage, stored or 0, retrieved or 0)


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.split() == other.split()


def _memory(row: Mapping[str, Any]) -> RetrievedMemory:
    return RetrievedMemory(**{**row, "dia_ids": tuple(row["dia_ids"] or ())})
