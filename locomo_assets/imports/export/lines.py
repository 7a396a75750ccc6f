"""The lines of an export: a history's answers and verdicts, as `imports.shapes.Line` reads them."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from locomo_assets.imports.shapes import Line
from locomo_assets.redaction import hide_in_answer

Row = dict[str, Any]

_FOLDER = Path(__file__).parent
_GOLD = ("corrected_gold_answer",)
_COUNTED = ("votes", "agreement")
_PLAIN = {"latency_ms": "latency_ms", "input_tokens": "input_tokens", "output_tokens":
          "output_tokens", "model": "llm_model"}  # fmt: skip
_OF_VERDICTS = {
    **{field: field for field in Line.judge_columns},
    **{field: field for field in Line.verdict_columns},
    "judge_prompt_name": "prompt_name",
    "judge_prompt_sha256": "prompt_sha256",
}
"""Fields of a line, by the column of `current_judgements` that each comes from."""


def read_rows(connection: duckdb.DuckDBPyConnection, query: str, release: str) -> list[Row]:
    """The rows of one of this folder's queries on a release."""
    sql = (_FOLDER / f"{query}.sql").read_text(encoding="utf-8")
    found = connection.execute(sql, {"release": release})
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def lines_of(answer: Row, verdicts: list[Row], *, with_gold: bool) -> Iterator[Row]:
    """The lines of one answer: one for each judge, or one that says that nobody judged."""
    told = {
        "conversation": answer["conversation"],
        "question_index": answer["question_index"],
        "category": answer["category"],
    }
    if with_gold:
        texts = {"question": answer["question_text"], "golden_answer": answer["golden_answer"]}
        told |= {name: text for name, text in texts.items() if text is not None}
    told |= _answer_fields(answer)
    if not verdicts:
        missing = answer["reason"] if answer["outcome"] == "unanswered" else None
        yield told | {"not_judged": True} | ({} if missing is None else {"reason": missing})
    for verdict in verdicts:
        yield told | _verdict_fields(answer, verdict, with_gold=with_gold)


def _answer_fields(answer: Row) -> Row:
    fields: Row = {}
    unanswered = answer["outcome"] == "unanswered"
    if unanswered or answer["answer"] is not None:
        fields["answer"] = None if unanswered else answer["answer"]
    stated = {**_PLAIN, **Line.answer_columns}
    fields |= _stated(answer, stated)
    memories = answer["memories"]
    if memories is not None:
        fields["retrieved"] = [_memory(one) for one in memories]
    elif answer["retrieved"] == 0:
        fields["retrieved"] = []
    return fields


def _verdict_fields(answer: Row, verdict: Row, *, with_gold: bool) -> Row:
    fields: Row = {"judge": verdict["judge"], "verdict": verdict["verdict"]}
    left_out = () if with_gold else _GOLD
    fields |= _stated(verdict, {f: c for f, c in _OF_VERDICTS.items() if f not in left_out})
    # An audit's correction is a gold answer too.
    golds = (answer["golden_answer"], verdict["gold_answer"])
    if not with_gold and any(quotes_gold(verdict["reasoning"], gold) for gold in golds):
        fields["reasoning_left_out"] = True
    elif verdict["reasoning"] is not None:
        fields["reasoning"] = hide_in_answer(verdict["reasoning"])
    missing = answer["reason"] if answer["outcome"] == "unanswered" else None
    reason = missing or (
        verdict["verdict_reason"] if verdict["verdict"] in ("unscored", "unanswered") else None
    )
    return fields if reason is None else fields | {"reason": hide_in_answer(reason)}


def _stated(row: Mapping[str, Any], fields: Mapping[str, str]) -> Row:
    """What is known, and what an import would otherwise count itself."""
    return {
        field: _value(row[column])
        for field, column in fields.items()
        if row[column] is not None or field in _COUNTED
    }


def _memory(one: Mapping[str, Any]) -> str | Row:
    known = {name: _value(value) for name, value in one.items() if value is not None}
    return str(known["memory"]) if known.keys() == {"memory"} else known


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return hide_in_answer(value) if isinstance(value, str) else value


def quotes_gold(text: str | None, gold: str | None) -> bool:
    """Whether a text holds the gold answer, as words of its own; case and white space aside."""
    words = " ".join((gold or "").split())
    if not words or text is None:
        return False
    pattern = rf"(?<!\w){re.escape(words)}(?!\w)"
    return re.search(pattern, " ".join(text.split()), re.IGNORECASE) is not None
