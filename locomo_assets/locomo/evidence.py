"""Which turns a question's evidence points at.

Here: from ids as the file writes them to ids of turns that exist. Nothing is guessed: an id that
cannot be read, or names no turn, stays as written.
"""

import re
from collections.abc import Collection, Sequence

_SEPARATORS = re.compile(r"[;,\s]+")
_TURN_ID = re.compile(r"D:?0*(\d+):0*(\d+)", re.ASCII)


def resolve_evidence(
    as_written: Sequence[str], dia_ids: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (ids of existing turns, the rest as written), each in order and without repeats.

    Reads several ids in one string (`D8:6; D9:17`, `D9:1 D4:4`), padded numbers (`D30:05`) and a
    stray colon (`D:11:26`).
    """
    found: dict[str, None] = {}
    rest: dict[str, None] = {}
    for written in as_written:
        if written in dia_ids:
            found[written] = None
            continue
        for piece in filter(None, _SEPARATORS.split(written)):
            dia_id = _existing(piece, dia_ids)
            if dia_id is None:
                rest[piece] = None
            else:
                found[dia_id] = None
    return tuple(found), tuple(rest)


def _existing(piece: str, dia_ids: Collection[str]) -> str | None:
    if piece in dia_ids:
        return piece
    match = _TURN_ID.fullmatch(piece)
    if match is None:
        return None
    dia_id = f"D{match[1]}:{match[2]}"
    return dia_id if dia_id in dia_ids else None
