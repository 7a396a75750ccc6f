"""Backboard's files: read as they are, refused where they are not what they say."""

import json
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.imports.backboard_published import (
    FILES,
    parse_published,
    parse_releases,
)
from locomo_assets.imports.results import ImportedAnswer, ImportRefusedError
from locomo_assets.judging.judge import NO_WORDS, Verdict
from locomo_assets.judging.prompts import read_prompt
from locomo_assets.judging.verdict_request import llm_identity
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets_tests.conftest import SHARED_DATA
from locomo_assets_tests.imports.files import (
    SAMPLE,
    encoded,
    published,
    responses_of,
    scored,
    summed,
)


def test_answers_and_verdicts_are_those_of_the_files() -> None:
    results = parse_published(published(lambda question: question.category != 2), SAMPLE)
    assert (results.system, results.question_protocol) == ("backboard", "published")
    assert [file.conversation for file in results.files] == ["sample-1", "sample-2"]
    assert [file.questions for file in results.files] == [
        len(scored("sample-1")),
        len(scored("sample-2")),
    ]
    assert [answer.question for answer in results.answers] == scored("sample-1") + scored(
        "sample-2"
    )
    for answer in results.answers:
        assert answer.answer == f"answer {answer.question.question_index}"
        assert (answer.llm_provider, answer.llm_model) == ("google", "gemini-2.5-pro")
        assert (answer.retrieved, answer.latency_ms, answer.input_tokens) == (None, None, None)
        (verdict,) = answer.verdicts
        expected = Verdict.WRONG if answer.question.category == 2 else Verdict.CORRECT
        assert (verdict.verdict, verdict.reasoning) == (expected, "so it is")
        assert verdict.judge["judge"] == "gpt-4.1/judge-prompt-reference@7c7cbfda"


def test_an_answer_that_was_not_evaluated_is_unscored() -> None:
    responses = responses_of("sample-1", lambda q: None if q.question_index == 0 else True)
    responses[1] |= {"ai_response": " ", "evaluation": {**responses[1]["evaluation"]}}
    responses[1]["evaluation"] |= {"is_correct": None, "error": "no answer came"}
    files = [("one.json", encoded(summed("sample-1", responses))), published()[1]]
    first, second, third = parse_published(files, SAMPLE).answers[:3]
    assert (first.answer, first.verdicts[0].verdict) == ("answer 0", Verdict.UNSCORED)
    assert first.verdicts[0].reason == "timeout"
    assert (second.answer, second.verdicts[0].verdict) == (None, Verdict.UNANSWERED)
    assert second.reason == second.verdicts[0].reason == "no answer came"
    assert third.verdicts[0].verdict is Verdict.CORRECT


Change = Callable[[list[dict[str, Any]]], object]


def _swap(responses: list[dict[str, Any]]) -> None:
    responses[0], responses[1] = responses[1], responses[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_swap, r"^one.json: responses\[0\] \(question 0\): category is 2, not 4"),
        (lambda r: r[0].update(question="Why?"), "question is 'Why\\?', not 'What kind of boat"),
        (lambda r: r[2].update(expected_answer="x"), r"responses\[2\].*expected_answer is 'x'"),
        (lambda r: r[0].update(question_type="single_hop"), "question_type is 'single_hop', not"),
        (lambda r: r[0].update(conversation_id="sample-2"), "conversation_id is 'sample-2'"),
        (lambda r: r.pop(), "responses, but sample-1 has .* scored questions"),
        (lambda r: r[0].update(response_time=-1), r"responses\[0\]\.response_time: .*greater"),
        (lambda r: r[0].update(response_time="1"), r"responses\[0\]\.response_time: .*number"),
        (lambda r: r[0].update(category="4"), r"responses\[0\]\.category: .*valid integer"),
        (lambda r: r[0].pop("ai_response"), r"responses\[0\]\.ai_response: Field required"),
    ],
)
def test_a_mismatch_is_refused_with_its_place(change: Change, message: str) -> None:
    responses = responses_of("sample-1")
    change(responses)
    files = [("one.json", encoded(summed("sample-1", responses))), published()[1]]
    with pytest.raises(ImportRefusedError, match=message) as caught:
        parse_published(files, SAMPLE)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("one.json: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"total": 1}, "one.json: total is 1, but its responses make"),
        ({"evaluated_count": 1}, "evaluated_count is 1"),
        ({"correct_count": 0}, "correct_count is 0"),
        ({"by_type": {}}, "by_type has , the responses multi_hop"),
        ({"conversation_id": "sample-9"}, "conversation sample-9 is not in the data set"),
        ({"by_type": 3}, "by_type: Input should be"),
    ],
)
def test_wrong_counts_are_refused(change: dict[str, Any], message: str) -> None:
    file = summed("sample-1", responses_of("sample-1")) | change
    with pytest.raises(ImportRefusedError, match=message):
        parse_published([("one.json", encoded(file)), published()[1]], SAMPLE)


def test_a_section_with_wrong_counts_is_refused() -> None:
    file = summed("sample-1", responses_of("sample-1"))
    file["by_type"]["open_domain"]["correct_count"] -= 1
    with pytest.raises(ImportRefusedError, match=r"by_type\.open_domain: correct_count is"):
        parse_published([("one.json", encoded(file))], SAMPLE)
    file = summed("sample-1", responses_of("sample-1"))
    file["by_type"]["open_domain"]["responses"][0] = {
        **file["by_type"]["open_domain"]["responses"][0],
        "ai_response": "another",
    }
    with pytest.raises(ImportRefusedError, match="open_domain: its responses differ"):
        parse_published([("one.json", encoded(file))], SAMPLE)


def test_each_conversation_has_one_file() -> None:
    one, two = published()
    with pytest.raises(ImportRefusedError, match="conversation sample-2: no file holds it"):
        parse_published([one], SAMPLE)
    with pytest.raises(ImportRefusedError, match=r"again\.json: .* is in locomo_con"):
        parse_published([one, ("again.json", one[1]), two], SAMPLE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff{}", "byte 0 is not UTF-8"),
        (b"{", r"is not JSON \(.* at character 1\)"),
        (b'{\n"a": }', r"is not JSON \(Expecting value at line 2, column 6\)"),
        (b"[]", "valid dictionary"),
        (b'{"total": 1, "total": 1}', "total: the field is there more than once"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_of_another_format_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ImportRefusedError, match=f"^a.json: .*{message}"):
        parse_published([("a.json", data)], SAMPLE)


def script_file(number: int, conversation: str, time: int) -> tuple[str, bytes]:
    """A file as the benchmark script writes it today."""
    responses = [
        one | {"response_time": 0.25, "num_sessions": 3, "question_thread_id": "t"}
        for one in responses_of(conversation)
    ]
    whole = summed(conversation, responses) | {"assistant_id": "a", "conversation_index": number}
    return f"locomo_conversation_{number}_{conversation}_{time}.json", encoded(whole)


DAY = 24 * 3600
TIME = 1_795_725_471
ONE, TWO = (script_file(number, f"sample-{number}", TIME + number) for number in (1, 2))


def releases(*files: tuple[str, bytes], ends: Collection[str] = ()) -> list[list[str]]:
    """The conversations of each run."""
    return [
        [file.conversation or "" for file in one.results.files]
        for one in parse_releases(files, ends, SAMPLE)
    ]


def test_a_run_of_the_script_becomes_a_release_of_its_time() -> None:
    (one,) = parse_releases([TWO, ONE], [], SAMPLE)
    assert one.release == "script-2026-11-26T20-37-52Z"
    assert one.published_at == datetime.fromtimestamp(TIME + 1, UTC)
    results = one.results
    assert (results.system, results.question_protocol) == ("backboard", "published")
    assert {answer.latency_ms for answer in results.answers} == {250.0}
    assert len(results.answers) == len(scored("sample-1")) + len(scored("sample-2"))
    assert results.unread == {
        "num_sessions": len(results.answers),
        "question_thread_id": len(results.answers),
        "assistant_id": 2,
        "conversation_index": 2,
    }


def test_runs_are_told_apart_by_number_end_and_pause() -> None:
    later = script_file(2, "sample-2", TIME + 900)
    assert releases(ONE, later) == [["sample-1", "sample-2"]]
    assert releases(TWO, later) == [["sample-2"], ["sample-2"]]
    assert releases(TWO, script_file(1, "sample-1", TIME + 900)) == [["sample-2"], ["sample-1"]]
    assert releases(ONE, script_file(2, "sample-2", TIME + DAY)) == [["sample-1"], ["sample-2"]]
    end = f"locomo_results_{TIME + 100}.json"
    assert releases(ONE, later, ends=[end, "locomo_results_final.json"]) == [
        ["sample-1"],
        ["sample-2"],
    ]
    assert releases(ONE, TWO, ends=[end]) == [["sample-1", "sample-2"]]


def test_a_name_makes_one_release_of_all_files() -> None:
    files = [ONE, script_file(2, "sample-2", TIME + 9 * DAY)]
    (one,) = parse_releases(files, [], SAMPLE, "ours", model="m", judge="j")
    assert (one.release, len(one.results.files)) == ("ours", 2)
    assert one.published_at == datetime.fromtimestamp(TIME + 1, UTC)
    (answer, *_) = one.results.answers
    assert (answer.llm_model, answer.llm_provider) == ("m", None)
    assert answer.verdicts[0].judge == {"judge": "j"}
    with pytest.raises(ImportRefusedError, match=r"sample-2 is in .* already; .* leave --release"):
        parse_releases([ONE, TWO, files[1]], [], SAMPLE, "ours")


def test_files_with_and_without_a_time_are_no_one_thing() -> None:
    untimed = ("locomo_conversation_2.json", TWO[1])
    with pytest.raises(
        ImportRefusedError, match=r"^locomo_conversation_2\.json: does not say when"
    ):
        parse_releases([ONE, untimed], [], SAMPLE)
    (both,) = parse_releases([ONE, untimed], [], SAMPLE, "ours")
    assert len(both.results.files) == 2
    (published_ones,) = parse_releases(published(), [], SAMPLE)
    assert (published_ones.release, published_ones.published_at) == ("backboard-published", None)


def first_answer(evaluation: dict[str, Any] | None, said: str = "") -> ImportedAnswer:
    """One without words."""
    responses = responses_of("sample-1")
    responses[0] |= {"ai_response": said, "evaluation": evaluation}
    files = [("one.json", encoded(summed("sample-1", responses))), published()[1]]
    return parse_published(files, SAMPLE).answers[0]


@pytest.mark.parametrize("correct", [True, False])
def test_an_empty_answer_with_a_verdict_has_that_verdict(correct: bool) -> None:
    answer = first_answer({"is_correct": correct, "reasoning": "so it is", "error": None})
    assert (answer.answer, answer.reason) == ("", None)
    assert answer.verdicts[0].verdict is (Verdict.CORRECT if correct else Verdict.WRONG)
    assert answer.verdicts[0].reasoning == "so it is"


def test_an_answer_of_punctuation_alone_is_wrong_without_a_judge() -> None:
    answer = first_answer(None, "**")
    assert (answer.answer, answer.reason) == ("**", None)
    assert answer.verdicts[0].verdict is Verdict.WRONG
    assert answer.verdicts[0].reasoning == NO_WORDS


FAILED = {"is_correct": None, "reasoning": None, "error": "no answer came"}


@pytest.mark.parametrize(
    ("evaluation", "reason"), [(None, "an empty answer in the file"), (FAILED, "no answer came")]
)
def test_a_question_that_failed_is_unanswered(
    evaluation: dict[str, Any] | None, reason: str
) -> None:
    """The script records it with an empty answer, and does not judge it."""
    answer = first_answer(evaluation)
    assert (answer.answer, answer.reason) == (None, reason)
    assert answer.verdicts[0].verdict is Verdict.UNANSWERED


def test_unknown_fields_at_any_depth_are_counted() -> None:
    responses = responses_of("sample-1")
    responses[0] |= {"extra": 1}
    responses[1]["evaluation"] |= {"score": 1}
    file = summed("sample-1", responses) | {"notes": {}}
    results = parse_published([("one.json", encoded(file)), published()[1]], SAMPLE)
    assert results.unread == {"extra": 1, "score": 1, "notes": 1}


@pytest.mark.real_data
def test_files_that_the_script_wrote_are_read(real_dataset: Path) -> None:
    folder = SHARED_DATA / "reference-script-output"
    if not folder.exists():
        pytest.skip("the script's files are not beside the project")
    files = [(path.name, path.read_bytes()) for path in sorted(folder.glob(FILES))]
    (one,) = parse_releases(files, [], read_dataset(str(real_dataset)))
    assert [file.questions for file in one.results.files] == [81, 123]
    verdicts = Counter(answer.verdicts[0].verdict for answer in one.results.answers)
    assert verdicts == {Verdict.CORRECT: 46 + 57, Verdict.WRONG: 204 - 103}
    assert all(answer.latency_ms and answer.latency_ms > 100 for answer in one.results.answers)


@pytest.mark.real_data
def test_the_real_files_hold_the_published_counts(real_dataset: Path) -> None:
    folder = SHARED_DATA / "backboard-published"
    if not folder.exists():
        pytest.skip("the published files are not beside the project")
    files = [(path.name, path.read_bytes()) for path in folder.glob(FILES)]
    results = parse_published(files, read_dataset(str(real_dataset)))
    correct = Counter(
        answer.question.category
        for answer in results.answers
        if answer.verdicts[0].verdict is Verdict.CORRECT
    )
    asked = Counter(answer.question.category for answer in results.answers)
    assert correct == {1: 252, 2: 295, 3: 72, 4: 767}
    assert asked == {1: 282, 2: 321, 3: 96, 4: 841}


@pytest.mark.real_data
def test_ones_own_run_with_the_reference_prompt_is_of_the_same_series(tmp_path: Path) -> None:
    path = SHARED_DATA / "judge-prompt-reference.txt"
    if not path.exists():
        pytest.skip("the reference prompt is not beside the project")
    renamed = tmp_path / "other-name.txt"
    renamed.write_bytes(path.read_bytes())
    own = llm_identity("openai", "gpt-4.1", read_prompt(str(renamed)))
    imported = parse_published(published(), SAMPLE).answers[0].verdicts[0].judge
    assert own.row() == imported
    assert json.loads(imported["judge_parameters_json"])["temperature"] == 0.1
