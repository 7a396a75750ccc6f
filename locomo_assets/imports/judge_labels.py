"""Labels of answers, right or wrong, by somebody who has read them: reading and storing a file.

JSON lines or CSV. What judges said of the same answers, the view `labelled_verdicts` has.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator

from locomo_assets import __version__
from locomo_assets.history.provenance import Lineage, Manifest
from locomo_assets.history.store import HistoryStore
from locomo_assets.imports.matching import Match, match_each
from locomo_assets.imports.results import (
    FileModel,
    ImportRefusedError,
    decode_utf8,
    read_json,
    read_model,
)
from locomo_assets.imports.shapes import Entry, Place
from locomo_assets.judging.judge import has_words
from locomo_assets.locomo.model import Dataset

ASSET = "judge_labels"
_MOST_NAME = 200


class _Line(FileModel):
    conversation: str | None = Field(
        None, validation_alias=AliasChoices("conversation", "conversation_id", "sample_id")
    )
    question_index: int | None = None
    question: str | None = None
    answer: str
    label: Literal["right", "wrong"]

    @field_validator("answer")
    @classmethod
    def _has_words(cls, answer: str) -> str:
        if not has_words(answer):
            raise ValueError("has no words; no judge is asked about such an answer")
        return answer


@dataclass(frozen=True, slots=True)
class Label:
    """One answer's label, and the question it answers."""

    match: Match
    answer: str
    label: str


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The labels of a file. `unread` counts the fields that nothing was made of."""

    name: str
    sha256: str
    labels: tuple[Label, ...]
    unread: Counter[str]


def read_labels(name: str, data: bytes, dataset: Dataset) -> LabelFile:
    """Reads a file's bytes: CSV if its name ends so, else JSON lines.

    Raises ImportRefusedError with the line; nothing is stored then.
    """
    unread: Counter[str] = Counter()
    text = decode_utf8(data, name)
    contents = _csv_lines(name, text) if name.lower().endswith(".csv") else _json_lines(name, text)
    lines = [(place, read_model(_Line, one, str(place), unread)) for place, one in contents]
    if not lines:
        raise ImportRefusedError(f"{name}: holds no line; nothing was imported")
    entries = [(place, _entry(line)) for place, line in lines]
    first: dict[tuple[str, int, str], Place] = {}
    labels = []
    for (place, line), match in zip(lines, match_each(entries, dataset), strict=True):
        key = (*match.key, " ".join(line.answer.split()))
        if key in first:
            raise ImportRefusedError(
                f"{place}: this answer to {match} is labelled on {first[key].place} already; "
                "leave one in, nothing was imported"
            )
        first[key] = place
        labels.append(Label(match, line.answer, line.label))
    return LabelFile(name, hashlib.sha256(data).hexdigest(), tuple(labels), unread)


def save_labels(
    store: HistoryStore, dataset: Dataset, file: LabelFile, labelled_by: str, run_id: str
) -> Manifest | None:
    """Commits the labels; None if this file's are stored already, by the same person."""
    who = " ".join(labelled_by.split())
    if not who or len(who) > _MOST_NAME:
        raise ImportRefusedError(
            f"--by {labelled_by!r:.40}: names who labelled, with 1 to {_MOST_NAME} characters"
        )
    extra = {"file_sha256": file.sha256, "labelled_by": who}
    for manifest in store.manifests(asset=ASSET):
        same = {name: manifest.extra.get(name) for name in extra} == extra
        if same and manifest.lineage.dataset_sha256 == dataset.sha256:
            return None
    attempt = store.begin(
        Lineage(
            asset=ASSET,
            run_id=run_id,
            release=None,
            conversation=None,
            code_version=__version__,
            dataset_sha256=dataset.sha256,
            system=None,
            extra=extra,
        )
    )
    attempt.append(ASSET, [_row(file, one, who) for one in file.labels])
    return attempt.commit()


def _row(file: LabelFile, one: Label, who: str) -> dict[str, Any]:
    return {
        "conversation": one.match.conversation,
        "question_index": one.match.question.question_index,
        "category": one.match.question.category,
        "question": one.match.question.question,
        "answer": one.answer,
        "label": one.label,
        "labelled_by": who,
        "file": file.name,
        "file_sha256": file.sha256,
    }


def _entry(line: _Line) -> Entry:
    stated = {
        "conversation": line.conversation,
        "question_index": line.question_index,
        "question": line.question,
    }
    return Entry.model_validate({name: one for name, one in stated.items() if one is not None})


def _json_lines(name: str, text: str) -> Iterator[tuple[Place, object]]:
    for at, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = Place(name, f"line {at}")
            yield place, read_json(line, str(place))


def _csv_lines(name: str, text: str) -> Iterator[tuple[Place, object]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_header(name, reader.fieldnames or ())
        for row in reader:
            place = Place(name, f"line {reader.line_num}")
            if None in row or None in row.values():
                raise ImportRefusedError(
                    f"{place}: has not as many fields as the first line; quote an answer that "
                    "holds a comma, nothing was imported"
                )
            yield place, _converted(place, row)
    except csv.Error as error:
        raise ImportRefusedError(
            f"{name}, line {reader.line_num}: is no CSV ({error}); nothing was imported"
        ) from None


def _check_header(name: str, fields: Sequence[str]) -> None:
    missing = {"answer", "label"} - set(fields)
    if missing:
        raise ImportRefusedError(
            f"{name}, line 1: names no field {' and no field '.join(sorted(missing))}; the first "
            "line names them: conversation,question_index,answer,label"
        )


def _converted(place: Place, row: dict[str, str]) -> dict[str, object]:
    """The fields that are not empty, the index as a number."""
    found: dict[str, object] = {name: value for name, value in row.items() if value}
    index = row.get("question_index", "").strip()
    if index:
        if not index.isdecimal() or not index.isascii():
            raise ImportRefusedError(
                f"{place}: question_index {index!r:.40} is no number from 0; nothing was imported"
            )
        found["question_index"] = int(index)
    return found
