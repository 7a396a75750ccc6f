"""Files of labels: what arrives, and what is refused with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.history.store import HistoryStore
from locomo_assets.imports.judge_labels import LabelFile, read_labels, save_labels
from locomo_assets.imports.results import ImportRefusedError
from locomo_assets_tests.imports.files import SAMPLE

QUESTION = "What kind of boat is Owen building?"


def line(**fields: Any) -> dict[str, Any]:
    """A line of a file; a field given as ... is left out."""
    plain = {"conversation": "sample-1", "question_index": 0, "answer": "A cedar canoe.",
             "label": "right", **fields}  # fmt: skip
    return {name: value for name, value in plain.items() if value is not ...}


def read(*some: dict[str, Any]) -> LabelFile:
    data = "\n".join(json.dumps(one) for one in some).encode()
    return read_labels("labels.jsonl", data, SAMPLE)


def test_lines_arrive_by_index_and_by_text() -> None:
    found = read(
        line(),
        line(question_index=..., question=QUESTION, answer="A raft", label="wrong", note="sure"),
    )
    assert [one.match.key for one in found.labels] == [("sample-1", 0), ("sample-1", 0)]
    assert [(one.answer, one.label) for one in found.labels] == [
        ("A cedar canoe.", "right"),
        ("A raft", "wrong"),
    ]
    assert found.unread == {"note": 1}


def test_csv_is_the_same() -> None:
    text = (
        "conversation,question_index,question,answer,label\r\n"
        'sample-1,0,,"A canoe, of cedar",right\r\n'
        f"sample-1,,{QUESTION},A raft,wrong\r\n"
    )
    found = read_labels("labels.csv", text.encode(), SAMPLE)
    assert [(one.match.key, one.answer, one.label) for one in found.labels] == [
        (("sample-1", 0), "A canoe, of cedar", "right"),
        (("sample-1", 0), "A raft", "wrong"),
    ]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"label": "maybe"}, "line 2: label: Input should be 'right' or 'wrong'"),
        ({"label": ...}, "line 2: label: Field required"),
        ({"answer": " …\n"}, "line 2: answer: has no words"),
        ({"answer": None}, "line 2: answer"),
        ({"answer": ...}, "line 2: answer: Field required"),
        ({"conversation": "sample-99x"}, "line 2: conversation 'sample-99x' is not in the data"),
        ({"question_index": 9999}, "line 2: question_index 9999 is not in sample-1"),
        ({"question": "Another?"}, "line 2: question is 'Another?', not"),
        ({"question_index": ...}, "line 2: needs `question`, or `conversation` and"),
        ({"answer": " A  cedar canoe. ", "label": "wrong"}, "is labelled on line 1 already"),
    ],
)
def test_what_is_amiss_is_refused_with_its_line(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ImportRefusedError) as refused:
        read(line(), line(**{"answer": "Another.", **fields}))
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "labels.csv, line 1: names no field answer and no field label"),
        ("answer,label\n", "holds no line"),
        ("conversation,question_index,answer,label\nsample-1,0,A canoe, cedar,right\n", "line 2"),
        ("conversation,question_index,answer,label\nsample-1,0,A canoe\n", "line 2: has not as"),
        ("conversation,question_index,answer,label\nsample-1,one,A canoe,right\n", "no number"),
        ('conversation,question_index,answer,label\nsample-1,0,"A canoe,right\n', "is no CSV"),
    ],
)
def test_what_is_amiss_in_csv(text: str, why: str) -> None:
    with pytest.raises(ImportRefusedError, match=why):
        read_labels("labels.csv", text.encode(), SAMPLE)


def test_broken_json_and_empty_files() -> None:
    with pytest.raises(ImportRefusedError, match="line 1: is not JSON"):
        read_labels("labels.jsonl", b"{", SAMPLE)
    with pytest.raises(ImportRefusedError, match="holds no line"):
        read_labels("labels.jsonl", b"\n", SAMPLE)


def test_a_file_is_stored_once_for_each_person(tmp_path: Path) -> None:
    store = HistoryStore.open(tmp_path.as_uri())
    found = read(line())
    assert save_labels(store, SAMPLE, found, "Ann", "run-1") is not None
    assert save_labels(store, SAMPLE, found, " Ann ", "run-2") is None
    assert save_labels(store, SAMPLE, found, "Ben", "run-3") is not None
    rows = store.read("judge_labels", store.manifests(asset="judge_labels")).to_pylist()
    assert [(row["labelled_by"], row["label"], row["file"]) for row in rows] == [
        ("Ann", "right", "labels.jsonl"),
        ("Ben", "right", "labels.jsonl"),
    ]
    assert {(row["conversation"], row["question_index"]) for row in rows} == {("sample-1", 0)}
    with pytest.raises(ImportRefusedError, match="--by"):
        save_labels(store, SAMPLE, found, " ", "run-4")
