"""The generic format: every field arrives, and what is amiss is refused with its line."""

from typing import Any

import pytest

from locomo_assets.imports.jsonl import parse_jsonl
from locomo_assets.imports.results import ImportedAnswer, ImportRefusedError
from locomo_assets.judging.judge import NO_WORDS, Verdict
from locomo_assets_tests.imports.files import SAMPLE, line, lines


def parsed(*some: dict[str, Any]) -> tuple[ImportedAnswer, ...]:
    return parse_jsonl(
        "a.jsonl", lines(*some), SAMPLE, system="memo", question_protocol="isolated"
    ).answers


def test_every_field_arrives() -> None:
    (answer,) = parsed(
        line(
            reasoning="as it is",
            question="What kind of boat is Owen building?",
            category=4,
            latency_ms=12,
            input_tokens=0,
            output_tokens=7,
            retrieved=["Owen builds.", "A canoe."],
        )
    )
    assert (answer.conversation, answer.question.question_index) == ("sample-1", 0)
    assert (answer.answer, answer.llm_model, answer.reason) == ("A canoe.", "some-model", None)
    assert (answer.latency_ms, answer.input_tokens, answer.output_tokens) == (12.0, 0, 7)
    assert answer.retrieved is not None
    assert [one.memory for one in answer.retrieved] == ["Owen builds.", "A canoe."]
    (verdict,) = answer.verdicts
    assert (verdict.judge, verdict.verdict) == ({"judge": "some-judge"}, Verdict.CORRECT)
    assert (verdict.reasoning, verdict.votes, verdict.agreement) == ("as it is", 1, 1.0)


def test_what_is_not_stated_is_unknown() -> None:
    (answer,) = parsed(line())
    assert answer.latency_ms is answer.input_tokens is answer.output_tokens is None
    assert answer.retrieved is None
    (answer,) = parsed(line(retrieved=[]))
    assert answer.retrieved == ()


@pytest.mark.parametrize("empty", [None, "", " \n"])
def test_no_answer_is_unanswered(empty: str | None) -> None:
    (answer,) = parsed(line(answer=empty, verdict=..., reason="HTTP 500"))
    assert (answer.answer, answer.reason) == (None, "HTTP 500")
    assert answer.verdicts[0].verdict is Verdict.UNANSWERED


@pytest.mark.parametrize("error", ["HTTP 500", {"code": 500}, True])
def test_an_empty_answer_with_an_error_is_unanswered(error: object) -> None:
    (answer,) = parsed(line(answer="", verdict=..., error=error))
    said = error if isinstance(error, str) else "an error in the file"
    assert (answer.answer, answer.reason) == (None, said)
    assert answer.verdicts[0].verdict is Verdict.UNANSWERED


@pytest.mark.parametrize("verdict", [..., None, "unscored"])
@pytest.mark.parametrize("empty", ["", " \n", "…", "**"])
def test_an_answer_without_words_is_wrong_without_a_judge(empty: str, verdict: object) -> None:
    (answer,) = parsed(line(answer=empty, verdict=verdict, error=None))
    assert (answer.answer, answer.reason) == (empty, None)
    (given,) = answer.verdicts
    assert (given.verdict, given.reasoning, given.reason) == (Verdict.WRONG, NO_WORDS, None)


@pytest.mark.parametrize("verdict", [Verdict.WRONG, Verdict.CORRECT])
@pytest.mark.parametrize("empty", [None, "", " \n"])
def test_a_verdict_on_an_empty_answer_is_what_the_judge_said(
    empty: str | None, verdict: Verdict
) -> None:
    results = parse_jsonl(
        "a.jsonl", lines(line(answer=empty, verdict=verdict.value), line(question_index=1)), SAMPLE,
        system="memo", question_protocol="isolated",
    )  # fmt: skip
    answer = results.answers[0]
    reason = "no answer in the file" if empty is None else None
    assert (answer.answer, answer.reason) == (empty, reason)
    assert answer.verdicts[0].verdict is verdict
    assert results.correct_without_words == (verdict is Verdict.CORRECT)


def test_no_answer_and_no_reason_is_unanswered() -> None:
    (answer,) = parsed(line(answer=None, verdict=...))
    assert (answer.answer, answer.reason) == (None, "no answer in the file")
    assert answer.verdicts[0].verdict is Verdict.UNANSWERED


def test_a_verdict_needs_no_answer_and_an_answer_no_verdict() -> None:
    (answer,) = parsed(line(answer=...))
    assert (answer.answer, answer.reason) == (None, None)
    assert answer.verdicts[0].verdict is Verdict.CORRECT
    (answer,) = parsed(line(verdict=...))
    assert (answer.answer, answer.verdicts[0].verdict) == ("A canoe.", Verdict.UNSCORED)
    assert answer.verdicts[0].reason == "no verdict in the file"
    with pytest.raises(ImportRefusedError, match="line 1: has neither an answer nor a verdict"):
        parsed(line(answer=..., verdict=...))


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        *[
            (said, Verdict.CORRECT)
            for said in ("correct", "CORRECT", " Correct.", 1, 1.0, True, "1")
        ],
        *[
            (said, Verdict.WRONG)
            for said in ("wrong", "WRONG", "Incorrect", 0, 0.0, False, "false")
        ],
        ("unscored", Verdict.UNSCORED),
        (None, Verdict.UNSCORED),
    ],
)
def test_verdicts_are_read_in_the_words_of_others(said: object, verdict: Verdict) -> None:
    (answer,) = parsed(line(verdict=said))
    assert answer.verdicts[0].verdict is verdict
    (answer,) = parsed(line(verdict=..., verdicts=[said]))
    assert answer.verdicts[0].verdict is verdict


def test_unknown_fields_are_counted() -> None:
    results = parse_jsonl(
        "a.jsonl", lines(line(f1=0.5, latency=1), line(question_index=1, f1=None)), SAMPLE,
        system="memo", question_protocol="isolated",
    )  # fmt: skip
    assert results.unread == {"f1": 2, "latency": 1}


def test_a_model_and_a_judge_that_lines_leave_out_are_those_given() -> None:
    bare = lines(line(judge=..., model=None), line(question_index=1))
    who = {"system": "memo", "question_protocol": "isolated"}
    for given, model, judge in (({}, "unknown", "unknown"),
                                ({"model": "m", "judge": "j"}, "m", "j")):  # fmt: skip
        results = parse_jsonl("a.jsonl", bare, SAMPLE, **who, **given)
        one, other = results.answers
        assert (one.llm_model, one.verdicts[0].judge["judge"]) == (model, judge)
        assert (other.llm_model, other.verdicts[0].judge["judge"]) == ("some-model", "some-judge")
        assert results.assumed == given


def test_judges_stand_side_by_side() -> None:
    (answer,) = parsed(line(), line(judge="strict", verdict=..., verdicts=["wrong"] * 3))
    assert [(one.judge["judge"], one.verdict, one.votes) for one in answer.verdicts] == [
        ("some-judge", Verdict.CORRECT, 1),
        ("strict", Verdict.WRONG, 3),
    ]


def test_tied_votes_and_a_failed_judge_are_unscored() -> None:
    (answer,) = parsed(line(verdict=..., verdicts=["wrong", "correct"]))
    (verdict,) = answer.verdicts
    assert (verdict.verdict, verdict.reason) == (Verdict.UNSCORED, "no majority")
    assert (verdict.votes, verdict.agreement) == (2, None)
    (answer,) = parsed(line(verdict="unscored", reason="HTTP 429"))
    assert answer.verdicts[0].reason == "HTTP 429"


@pytest.mark.parametrize(
    ("votes", "verdict", "agreement"),
    [
        (["wrong", "correct", "wrong"], Verdict.WRONG, 2 / 3),
        (["correct", "unscored", "correct"], Verdict.CORRECT, 2 / 3),
        (["correct", "unscored"], Verdict.UNSCORED, None),
        (["correct", "wrong", "unscored"], Verdict.UNSCORED, None),
        (["unscored"], Verdict.UNSCORED, None),
    ],
)
def test_more_than_half_of_the_votes_decide(
    votes: list[str], verdict: Verdict, agreement: float | None
) -> None:
    (answer,) = parsed(line(verdict=..., verdicts=votes))
    (one,) = answer.verdicts
    assert (one.verdict, one.agreement, one.votes) == (verdict, agreement, len(votes))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conversation": "sample-9"}, "conversation 'sample-9' is not in the data set"),
        ({"question_index": -1}, "question_index -1 is not in sample-1, which has 30 questions"),
        ({"question_index": 30}, "question_index 30 is not in"),
        ({"question_index": "0"}, "question_index: .*valid integer"),
        ({"question_index": True}, "question_index: .*valid integer"),
        ({"question": "Why?"}, "question is 'Why\\?', not 'What kind"),
        ({"category": 1}, "category is 1, not 4"),
        ({"verdict": "partly"}, "verdict: 'partly' is no verdict: it is CORRECT or WRONG"),
        ({"verdict": 0.5}, "verdict: 0.5 is no verdict"),
        ({"verdict": ["correct"]}, "verdict: .* is no verdict"),
        ({"verdict": ..., "verdicts": ["correct", 2]}, r"verdicts\[1\]: 2 is no verdict"),
        ({"verdicts": ["wrong"]}, "has both `verdict` and `verdicts`"),
        ({"verdict": ..., "verdicts": []}, "verdicts: List should have at least 1"),
        ({"judge": ""}, "judge: String should have at least 1"),
        ({"model": 1}, "model: .*valid string"),
        ({"question_index": ...}, "needs `question`, or `conversation` and `question_index`"),
        ({"latency_ms": -1}, "latency_ms: .*greater than or equal to 0"),
        ({"latency_ms": float("nan")}, "latency_ms: .*finite"),
        ({"input_tokens": 1.0}, "input_tokens: .*valid integer"),
        ({"output_tokens": 2**63}, "output_tokens: .*less than"),
        ({"retrieved": [1]}, r"retrieved\[0\]: .*valid string"),
        ({"answer": "\ud800"}, "a text holds half a character"),
        ({"reason": "so"}, "`reason` is for a missing answer or verdict"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ImportRefusedError, match=f"^a.jsonl, line 2: .*{message}") as caught:
        parsed(line(question_index=1), line(**fields))
    assert "\n" not in str(caught.value)


def test_lines_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(
        ImportRefusedError, match="line 2: question 0 of sample-1 already has a verdict by"
    ):
        parsed(line(), line(verdict="wrong"))
    with pytest.raises(
        ImportRefusedError, match=r"line 2: .*on line 1 already with different fiel"
    ):
        parsed(line(), line(judge="strict", answer="A raft."))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.jsonl: holds no line"),
        (b"\n \n", "a.jsonl: holds no line"),
        (b"\n{", "a.jsonl, line 2: is not JSON"),
        (b"[1]\n", r"a.jsonl: \[0\]: Input should be a valid dictionary; nothing"),
        (b"1\n", "a.jsonl, line 1: .*dictionary"),
        (b'{"judge": 1, "judge": 1}', "line 1: judge: the field is there more than once"),
        (b"9" * 5000, "line 1: Exceeds the limit"),
        (b"{}\xff", "a.jsonl: byte 2 is not UTF-8"),
    ],
)
def test_a_file_of_another_format_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ImportRefusedError, match=message):
        parse_jsonl("a.jsonl", data, SAMPLE, system="memo", question_protocol="unknown")


def test_blank_lines_and_line_separators_in_texts_do_no_harm() -> None:
    data = "\ufeff\r\n" + lines(line(answer="one\u2028two")).decode().replace("\\u2028", "\u2028")
    results = parse_jsonl(
        "a.jsonl", data.encode(), SAMPLE, system="memo", question_protocol="unknown"
    )
    assert results.answers[0].answer == "one\u2028two"
