"""Every question of a release, and of the one before, as one value for the page's script.

Texts that many questions share stand in it once: turns by conversation, memories in one list.
`packed` turns the value into what the page carries.
"""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.history import database
from locomo_assets.locomo.model import OFFICIAL_NAMES

NEIGHBOURS = 2
"""How many turns before and after an evidence turn are shown."""
LAST_RELEASES = 8
"""Of how many releases a question's verdicts are shown, its own the last."""

_FOLDER = Path(__file__).parent
_SIGNS = {"correct": "+", "wrong": "-", "unscored": "?", "unanswered": "!"}
_NOT_ASKED = " "

Question = tuple[str, int]
Row = dict[str, Any]


@dataclass(slots=True)
class _Memories:
    """The memories that were retrieved, each text with its turns once."""

    shown: list[Row] = field(default_factory=list)
    _places: dict[tuple[str | None, str | None, tuple[str, ...]], int] = field(default_factory=dict)

    def place(self, row: Row) -> int:
        key = row["memory"], row["traced_by"], tuple(row["dia_ids"])
        if key not in self._places:
            self._places[key] = len(self.shown)
            text, traced_by, turns = key
            self.shown.append(_known({"text": text, "turns": turns, "traced_by": traced_by}))
        return self._places[key]


def read_questions(
    database_path: Path,
    whole: Accuracy,
    previous: str | None,
    releases: Sequence[str],
    steps: Mapping[Question, str],
) -> Row:
    """The questions that `whole` was asked, beside the release `previous` where there is one.

    `releases` are those of the trend, oldest first; `steps` says of a question whose verdict
    changed at which step it did.
    """
    series = {
        "system": whole.system,
        "question_protocol": whole.question_protocol,
        "dataset_sha256": whole.dataset_sha256,
    }
    # Up to the page's own release: an old page shows what was known of it.
    last = list(releases[: releases.index(whole.release) + 1][-LAST_RELEASES:])
    names = [whole.release] if previous is None else [whole.release, previous]
    memories = _Memories()
    with database.open_read_only(database_path) as connection:
        sides = [
            _side(connection, {**series, "release": name}, whole.judge, memories) for name in names
        ]
        verdicts = _rows(connection, "verdicts", {**series, "judge": whole.judge, "releases": last})
        turns = _rows(connection, "turns", {"dataset_sha256": whole.dataset_sha256})
        judges, said = _by_judge(_rows(connection, "judges", {**series, "release": whole.release}))
    strips = _strips(verdicts, last)
    questions = []
    for key, row in sides[0].items():
        one = {name: row.pop(name) for name in _OF_THE_QUESTION}
        one["strip"] = strips.get(key, "")
        one["step"] = steps.get(key)
        one["judged"] = said.get(key)
        one["sides"] = [row, *(_without_question(side.get(key)) for side in sides[1:])]
        questions.append(_known(one))
    return {
        "releases": names,
        "last": last,
        "judges": judges,
        "categories": {str(number): name for number, name in OFFICIAL_NAMES.items()},
        "conversations": _conversations(turns, questions),
        "memories": memories.shown,
        "questions": questions,
    }


_OF_THE_QUESTION = ("conversation", "question_index", "category", "question", "gold_answer",
                    "adversarial_answer", "evidence_turns")  # fmt: skip


def packed(value: Mapping[str, Any]) -> str:
    """The value as JSON, compressed, in letters that HTML leaves alone."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Without a time, equal questions make equal pages.
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def _side(
    connection: duckdb.DuckDBPyConnection,
    series: Mapping[str, Any],
    judge: str,
    memories: _Memories,
) -> dict[Question, Row]:
    found = {
        (row["conversation"], row["question_index"]): _known(row)
        for row in _rows(connection, "questions", {**series, "judge": judge})
    }
    for row in _rows(connection, "retrieved", series):
        place = memories.place(row)
        one = found[row["conversation"], row["question_index"]]
        one.setdefault("retrieved", []).append([row["rank"], place])
    for one in found.values():
        for name in _OF_THE_QUESTION:
            one.setdefault(name, None)
        for name in ("latency_ms", "cost_usd", "judge_cost_usd"):
            if name in one:
                one[name] = float(f"{one[name]:.4g}")
    return found


def _without_question(row: Row | None) -> Row | None:
    return row and {name: row[name] for name in row if name not in _OF_THE_QUESTION}


def _strips(verdicts: Iterable[Row], releases: Sequence[str]) -> dict[Question, str]:
    """A question's verdicts in the releases, oldest first, a sign each."""
    signs: dict[Question, list[str]] = {}
    for row in verdicts:
        key = row["conversation"], row["question_index"]
        strip = signs.setdefault(key, [_NOT_ASKED] * len(releases))
        strip[releases.index(row["release"])] = _SIGNS[row["verdict"]]
    return {key: "".join(strip) for key, strip in signs.items()}


def _by_judge(verdicts: Sequence[Row]) -> tuple[list[str], dict[Question, str]]:
    """The judges, the strictest first, and what they said of each question, a sign each.

    Nothing where fewer than two judges have judged.
    """
    correct = Counter({row["judge"]: 0 for row in verdicts})
    correct.update(row["judge"] for row in verdicts if row["verdict"] == "correct")
    judges = sorted(correct, key=lambda name: (correct[name], name))
    if len(judges) < 2:
        return [], {}
    signs: dict[Question, list[str]] = {}
    for row in verdicts:
        key = row["conversation"], row["question_index"]
        of_question = signs.setdefault(key, [_NOT_ASKED] * len(judges))
        of_question[judges.index(row["judge"])] = _SIGNS[row["verdict"]]
    return judges, {key: "".join(one) for key, one in signs.items()}


def _conversations(turns: Sequence[Row], questions: Iterable[Row]) -> dict[str, list[Row]]:
    """The evidence turns of each conversation and their neighbours, in the order they were said.

    `at` is a turn's place in its conversation: neighbours follow each other.
    """
    named: dict[str, set[str]] = {}
    for one in questions:
        named.setdefault(one["conversation"], set()).update(one.get("evidence_turns") or ())
    said: dict[str, list[Row]] = {}
    for turn in turns:
        said.setdefault(turn["conversation"], []).append(turn)
    shown: dict[str, list[Row]] = {}
    for name, dia_ids in named.items():
        there = said.get(name, [])
        kept = {
            near
            for at, turn in enumerate(there)
            if turn["dia_id"] in dia_ids
            for near in range(max(at - NEIGHBOURS, 0), min(at + NEIGHBOURS + 1, len(there)))
            if there[near]["session_index"] == turn["session_index"]
        }
        shown[name] = [_known({**there[at], "conversation": None, "at": at}) for at in sorted(kept)]
    return shown


def _rows(
    connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, Any]
) -> list[Row]:
    found = connection.execute(
        (_FOLDER / f"{name}.sql").read_text(encoding="utf-8"), dict(parameters)
    )
    columns = [column[0] for column in found.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def _known(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}
