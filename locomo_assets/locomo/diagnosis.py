"""Why an answer is wrong: where its evidence was lost on the way from turn to answer.

The rules about one answer, without its judge: whether the gold answer is faulty or the judge in
doubt comes first, and is added by the view `diagnosis`. docs/diagnosis.md lists all reasons.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from locomo_assets.locomo.declines import declines, may_decline
from locomo_assets.locomo.model import ADVERSARIAL
from locomo_assets.locomo.text_scores import stems

VERSION = 1
"""Increase with every change here or in `tracing`: databases of another version are rebuilt."""

Stage = Literal["never_stored", "not_retrieved", "retrieved", "unknown"]
Reason = Literal[
    "gold_faulty",
    "judge_doubtful",
    "never_stored",
    "not_retrieved",
    "declined",
    "retrieved_not_used",
    "not_declined",
    "unknown",
]

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_SAID_EASILY = frozenset(stems("yes no none not both likely"))


class Piece(NamedTuple):
    """One evidence turn of a question, and how far it came; None is not known.

    `operation_status` is that of the turn's memory operation, `retrieved_rank` the best rank of a
    memory that holds the turn.
    """

    dia_id: str
    operation_status: str | None
    stored: bool | None
    retrieved: bool | None
    retrieved_rank: int | None


class Finding(NamedTuple):
    """How far an answer's evidence came, and what that makes of the answer if it is wrong.

    `reason` is never `gold_faulty` or `judge_doubtful`; `detail` says it in words.
    """

    stage: Stage
    declined: bool
    contains_gold: bool
    reason: Reason
    detail: str


def diagnose(
    category: int, gold: str | None, answer: str, pieces: Sequence[Piece], *, memory_is_off: bool
) -> Finding:
    """What is known of one answer; `memory_is_off` where no memory could have helped."""
    stage = furthest(pieces)
    declined = category != ADVERSARIAL and says_unknown(answer)
    if category == ADVERSARIAL:
        reason: Reason = "not_declined"
        detail = "it answers a question that has no answer in the conversation"
    elif stage in ("never_stored", "not_retrieved"):
        reason, detail = stage, _missing(pieces, stage)
    elif declined:
        reason = "declined"
        detail = "it says that it does not know" + (
            f", with {_all_of(pieces)} at hand" if stage == "retrieved" else ""
        )
    elif stage == "retrieved":
        reason = "retrieved_not_used"
        detail = f"wrong with {_all_of(pieces)} at hand"
    else:
        reason, detail = "unknown", _why_unknown(pieces, memory_is_off)
    return Finding(stage, declined, contains(gold, answer), reason, detail)


def furthest(pieces: Sequence[Piece]) -> Stage:
    """The first stage at which a piece was lost; `retrieved` where none was."""
    if any(piece.stored is False for piece in pieces):
        return "never_stored"
    if any(piece.retrieved is False for piece in pieces):
        return "not_retrieved"
    if pieces and all(piece.retrieved for piece in pieces):
        return "retrieved"
    return "unknown"


def says_unknown(answer: str) -> bool:
    """Whether its first sentence says that it cannot answer."""
    if not may_decline(answer.lower().replace("’", "'")):
        return False
    first = next((one for one in _SENTENCE_END.split(answer) if one.strip()), "")
    return declines(first.lower().replace("’", "'"))


def contains(gold: str | None, answer: str) -> bool:
    """Whether the gold answer's words stand in the answer, one after the other.

    A gold answer of one word counts only if it is a name, a year or the like: `yes` and `2` stand
    in many answers.
    """
    wanted = _telling(gold or "")
    return wanted is not None and wanted in f" {' '.join(stems(answer))} "


@lru_cache(maxsize=10_000)
def _telling(gold: str) -> str | None:
    """A gold answer's stems between spaces, which no stem has; None where they tell nothing."""
    wanted = stems(gold)
    if not wanted or (len(wanted) == 1 and (len(wanted[0]) < 4 or wanted[0] in _SAID_EASILY)):
        return None
    return f" {' '.join(wanted)} "


def _missing(pieces: Sequence[Piece], stage: Stage) -> str:
    lost = [p for p in pieces if (p.stored if stage == "never_stored" else p.retrieved) is False]
    said = ", ".join(_lost(piece, stage) for piece in lost)
    have = sum(piece.retrieved is True for piece in pieces)
    rest = f"; {have} of {len(pieces)} evidence turns retrieved" if len(pieces) > 1 else ""
    return f"{said}{rest}"


def _lost(piece: Piece, stage: Stage) -> str:
    if stage == "not_retrieved":
        known = "is stored and was" if piece.stored else "was"
        unknown = "" if piece.stored else ", and it is not known whether it is stored"
        return f"{piece.dia_id} {known} not retrieved{unknown}"
    match piece.operation_status:
        case "completed":
            return f"{piece.dia_id} is in no memory, though its operation completed"
        case "timed_out":
            return f"{piece.dia_id} is in no memory: its operation timed out"
        case None:
            return f"{piece.dia_id} is in no memory: it has no memory operation"
    return f"{piece.dia_id} is in no memory: its operation failed"


def _all_of(pieces: Sequence[Piece]) -> str:
    if len(pieces) > 1:
        return f"all {len(pieces)} evidence turns"
    rank = pieces[0].retrieved_rank
    return f"the evidence {pieces[0].dia_id}" + (f" (rank {rank})" if rank else "")


def _why_unknown(pieces: Sequence[Piece], memory_is_off: bool) -> str:
    if not pieces:
        return "the question names no evidence"
    return "memory was off" if memory_is_off else "its memories can't be traced to the evidence"
