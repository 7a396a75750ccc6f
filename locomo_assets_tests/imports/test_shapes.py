"""The files of others, in the shapes that docs/import.md lists, made of the sample's questions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.imports.jsonl import parse_jsonl
from locomo_assets.imports.results import ImportedResults, ImportRefusedError
from locomo_assets.judging.judge import Verdict
from locomo_assets.locomo.model import ADVERSARIAL, Dataset, Question
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets_tests.imports.files import SAMPLE, encoded, line, lines, scored

Entry = Callable[[int, Question], dict[str, Any]]


def is_right(question: Question) -> bool:
    return question.question_index % 3 != 0


def mem0(_number: int, question: Question) -> dict[str, Any]:
    return {
        "question": question.question,
        "answer": question.gold_answer,
        "response": "an answer",
        "category": str(question.category),
        "bleu_score": 0.5,
        "f1_score": float("nan"),
        "llm_score": int(is_right(question)),
    }


def zep(_number: int, question: Question) -> dict[str, Any]:
    gold = question.gold_answer or ""
    return {
        "question": question.question,
        "answer": "an answer",
        "golden_answer": int(gold) if gold.isdigit() else gold,
        "grade": is_right(question),
    }


def memos(_number: int, question: Question) -> dict[str, Any]:
    votes = [is_right(question), is_right(question), not is_right(question)]
    return {
        "question": question.question,
        "answer": "an answer",
        "golden_answer": question.gold_answer,
        "category": question.category,
        "llm_judgments": {f"judgment_{at}": vote for at, vote in enumerate(votes, start=1)},
        "nlp_metrics": {"lexical": {"f1": 0.1}},
        "response_duration_ms": 10.0,
        "search_duration_ms": 2.5,
        "total_duration_ms": 12.5,
    }


def evermemos(number: int, question: Question) -> dict[str, Any]:
    entry = memos(number, question)
    for field in ("answer", "nlp_metrics", "total_duration_ms"):
        del entry[field]
    return entry | {
        "question_id": f"locomo_{number}_qa{question.question_index}",
        "generated_answer": "an answer",
        "category": str(question.category),
    }


def questions_of(dataset: Dataset) -> list[tuple[int, list[Question]]]:
    """The scored questions of each conversation by its number; the last one first."""
    numbered = [
        (number, [one for one in conversation.questions if one.category != ADVERSARIAL])
        for number, conversation in enumerate(dataset.conversations)
    ]
    return numbered[::-1]


def grouped(dataset: Dataset, key: str, entry: Entry) -> dict[str, Any]:
    return {
        key.format(number): [entry(number, question) for question in questions]
        for number, questions in questions_of(dataset)
    }


def listed(dataset: Dataset, entry: Entry) -> list[dict[str, Any]]:
    return [entry(number, one) for number, some in questions_of(dataset) for one in some]


DOCUMENTS: dict[str, Callable[[Dataset], Any]] = {
    "mem0": lambda dataset: grouped(dataset, "{}", mem0),
    "zep": lambda dataset: grouped(dataset, "locomo_experiment_user_{}", zep),
    "memos": lambda dataset: grouped(dataset, "locomo_exp_user_{}", memos),
    "evermemos": lambda dataset: {
        "total_questions": 53,
        "detailed_results": grouped(dataset, "locomo_exp_user_{}", evermemos),
        "metadata": {"model": "gpt-4o-mini"},
    },
    "default-group": lambda dataset: {
        "detailed_results": {"default_group": listed(dataset, evermemos)}
    },
    "list": lambda dataset: listed(dataset, zep),
}


def parsed(data: bytes, dataset: Dataset = SAMPLE) -> ImportedResults:
    return parse_jsonl("a.json", data, dataset, system="memo", question_protocol="unknown")


def found_in(results: ImportedResults) -> dict[tuple[str, int], Verdict]:
    assert {answer.answer for answer in results.answers} == {"an answer"}
    return {
        (answer.conversation, answer.question.question_index): answer.verdicts[0].verdict
        for answer in results.answers
    }


def expected_of(dataset: Dataset) -> dict[tuple[str, int], Verdict]:
    return {
        (dataset.conversations[number].conversation, question.question_index): (
            Verdict.CORRECT if is_right(question) else Verdict.WRONG
        )
        for number, questions in questions_of(dataset)
        for question in questions
    }


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_of_a_known_shape_is_read(name: str, indent: int | None) -> None:
    data = json.dumps(DOCUMENTS[name](SAMPLE), indent=indent).encode()
    assert found_in(parsed(data)) == expected_of(SAMPLE)


@pytest.mark.real_data
def test_all_scored_questions_are_found_by_text(real_dataset: Path) -> None:
    dataset = read_dataset(str(real_dataset))
    expected = expected_of(dataset)
    assert len(expected) == 1540
    for document in DOCUMENTS.values():
        assert found_in(parsed(encoded(document(dataset)), dataset)) == expected


def test_what_a_shape_states_beside_the_verdict_is_kept_or_counted() -> None:
    results = parsed(encoded(DOCUMENTS["memos"](SAMPLE)))
    count = len(results.answers)
    assert {answer.latency_ms for answer in results.answers} == {12.5}
    verdicts = [answer.verdicts[0] for answer in results.answers]
    assert {(one.votes, one.agreement) for one in verdicts} == {(3, 2 / 3)}
    assert results.unread == dict.fromkeys(
        ("nlp_metrics", "response_duration_ms", "search_duration_ms"), count
    )
    results = parsed(encoded(DOCUMENTS["evermemos"](SAMPLE)))
    assert (results.unread["total_questions"], results.unread["metadata"]) == (1, 1)
    assert parsed(encoded(DOCUMENTS["mem0"](SAMPLE))).format == "mem0/1"


def test_lines_may_be_of_any_shape() -> None:
    questions = scored("sample-1")
    results = parsed(lines(*[zep(0, question) for question in questions]))
    assert [answer.question for answer in results.answers] == questions
    ours = parsed(encoded([line(), line(question_index=1)]))
    assert [answer.question.question_index for answer in ours.answers] == [0, 1]
    alone = json.dumps(line(), indent=1).encode()
    assert parsed(alone).answers[0].answer == "A canoe."


def test_a_name_of_a_category_says_nothing_and_is_counted() -> None:
    entry = mem0(0, scored("sample-1")[0]) | {"category": "single-hop"}
    assert parsed(encoded({"0": [entry]})).unread["category (a name)"] == 1


def test_a_judge_without_verdict_among_others_is_unscored() -> None:
    one, two, three = (mem0(0, question) for question in scored("sample-1")[:3])
    del two["llm_score"]
    three["llm_score"] = None
    answers = parsed(encoded({"0": [one, two, three]})).answers
    assert [answer.verdicts[0].verdict for answer in answers][1:] == [Verdict.UNSCORED] * 2
    entry = memos(0, scored("sample-1")[0]) | {"llm_judgments": {}}
    assert parsed(encoded({"0": [entry]})).answers[0].verdicts[0].verdict is Verdict.UNSCORED


def test_lists_of_something_else_beside_the_entries_are_counted() -> None:
    entries = [mem0(0, question) for question in scored("sample-1")]
    beside = {
        "models": ["a", "b"],
        "by_category": [{"category": 1, "llm_score": 0.8}],
        "0": entries,
    }
    results = parsed(encoded(beside))
    assert len(results.answers) == len(entries)
    assert (results.unread["models"], results.unread["by_category"]) == (1, 1)


def first(**fields: Any) -> dict[str, Any]:
    """A document whose second entry is as given."""
    return {"0": [mem0(0, scored("sample-1")[0]), mem0(0, scored("sample-1")[1]) | fields]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (first(llm_score=0.5), r": 0\[1\]: llm_score: 0.5 is no verdict"),
        (first(response=3), r": 0\[1\]: response: Input should be a valid string"),
        (first(category="1"), r": 0\[1\]: category is 1, not 2 as in the data set"),
        (first(answer="x"), r": 0\[1\]: gold answer is 'x', not "),
        (first(question="Why?"), r": 0\[1\]: the question 'Why\?' is not in sample-1 \(`0`\)"),
        (first(verdict=True), "`answer` and `response`, one of which may be the gold answer"),
        (first(grade=True), "has verdicts in `llm_score` and `grade`"),
        ({"0": [3]}, r": 0\[0\]: Input should be a valid dictionary"),
        ({"0": []}, "holds no line"),
        ({"0": 1}, "holds no results of a known shape"),
        ([], "holds no line"),
        ({"results": [[]]}, r": results\[0\]: Input should be a valid dictionary"),
        ({"0": [{"question": "Why?", "response": "x"}]}, "no entry has a verdict"),
        ({"conversation_id": "sample-1", "by_type": {}, "responses": []},
         "give its folder to `import backboard-published`"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place(document: Any, message: str) -> None:
    for indent in (None, 2):
        with pytest.raises(ImportRefusedError, match=f"^a.json.*{message}") as caught:
            parsed(json.dumps(document, indent=indent).encode())
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{\n "0": [\n  {"question": }\n ]\n}', r"a.json: is not JSON \(.* at line 3, column"),
        (b'{"0": [\n', r"a.json, line 1: is not JSON"),
        (b'{"0": [],\n"0": []}', r"a.json: 0: the field is there more than once"),
        (encoded(line()) + b"\n{\n", "a.json, line 2: is not JSON"),
        (encoded(line())[:-2] + b"\n" + encoded(line(question_index=1)), "a.json, line 1: is not"),
    ],
)
def test_broken_json_is_told_by_line(data: bytes, message: str) -> None:
    with pytest.raises(ImportRefusedError, match=message):
        parsed(data)
