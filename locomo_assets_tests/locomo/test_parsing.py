"""Parsing the file format, and its one-line errors, which name the line."""

import copy
import json
import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.locomo.model import DatasetError
from locomo_assets.locomo.parsing import parse_dataset, parse_session_date
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets_tests.locomo.factories import encoded, small_file

REAL_FILE = Path(__file__).parents[2].parent / "shared" / "data" / "locomo10.json"
REAL_SHA256 = "79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4"


def test_reads_sessions_turns_and_questions() -> None:
    dataset = parse_dataset(encoded(small_file()), "small.json")
    (conversation,) = dataset.conversations
    assert (conversation.conversation, conversation.speaker_a) == ("talk-1", "Ada")
    assert [turn.dia_id for turn in conversation.turns] == ["D1:1", "D1:2", "D2:1"]
    assert [(t.session_index, t.turn_index) for t in conversation.turns] == [(1, 0), (1, 1), (2, 0)]
    image = conversation.turns[1]
    assert image.image_urls == ("https://example.org/kite.jpg",)
    assert (image.image_query, image.image_caption) == ("red kite", "a photo of a red kite")
    assert conversation.sessions[1].started_at == datetime(2023, 6, 1, 0, 5, tzinfo=UTC)
    scored, adversarial = conversation.questions
    assert (scored.gold_answer, scored.adversarial_answer) == ("A kite", None)
    assert (adversarial.gold_answer, adversarial.adversarial_answer) == (None, "A kite")


def _with_sessions(last: int) -> list[dict[str, Any]]:
    content = small_file()
    for number in range(3, last + 1):
        content[0]["conversation"] |= {
            f"session_{number}_date_time": "9:00 am on 2 July, 2023",
            f"session_{number}": [{"speaker": "Bo", "dia_id": f"D{number}:1", "text": "Hello"}],
        }
    return content


def test_sessions_are_in_numeric_order_and_dates_without_session_are_ignored() -> None:
    content = _with_sessions(10)
    content[0]["conversation"] |= {"session_11_date_time": "no date at all", "session_12": None}
    content[0]["conversation"] = dict(sorted(content[0]["conversation"].items()))
    (conversation,) = parse_dataset(encoded(content), "x").conversations
    assert [session.session_index for session in conversation.sessions] == list(range(1, 11))


@pytest.mark.parametrize(("number", "text"), [(3, "3"), (2.5, "2.5"), (0, "0")])
def test_a_number_as_gold_answer_becomes_text(number: float, text: str) -> None:
    content = small_file()
    content[0]["qa"][0]["answer"] = number
    assert parse_dataset(encoded(content), "x").conversations[0].questions[0].gold_answer == text


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("12:00 am on 8 May, 2023", 0, 0),
        ("12:30 pm on 8 May, 2023", 12, 30),
        ("1:56 pm on 8 May, 2023", 13, 56),
        ("11:59 PM on 8 may 2023", 23, 59),
    ],
)
def test_session_dates_are_read_as_utc(text: str, hour: int, minute: int) -> None:
    assert parse_session_date(text) == datetime(2023, 5, 8, hour, minute, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001  # hypothesis wants naive bounds
def test_every_minute_can_be_read(moment: datetime) -> None:
    months = "January February March April May June July August September October November December"
    half = "pm" if moment.hour >= 12 else "am"
    text = (
        f"{moment.hour % 12 or 12}:{moment.minute:02} {half} on {moment.day} "
        f"{months.split()[moment.month - 1]}, {moment.year}"
    )
    assert parse_session_date(text) == moment.replace(second=0, microsecond=0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["8 May 2023", "13:00 pm on 8 May, 2023", "1:00 pm on 31 June, 2023", "1:00 pm on 8 Mai"],
)
def test_an_unreadable_session_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_session_date(text)


def _set(*path: Any, value: Any) -> Callable[[Any], None]:
    def spoil(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return spoil


def _drop(*path: Any) -> Callable[[Any], None]:
    def spoil(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return spoil


def _twice(content: Any) -> None:
    content.append(copy.deepcopy(content[0]))


TALK = (0, "conversation")
FAULTS: list[tuple[Callable[[Any], None], str]] = [
    (_drop(0, "sample_id"), "conversation 0: lacks the key 'sample_id'"),
    (_set(0, "sample_id", value="a|b"), "conversation 0: sample_id 'a|b' must be"),
    (_set(0, "sample_id", value="a..b"), "sample_id 'a..b' must be"),
    (_drop(0, "conversation"), "conversation 0 (talk-1): lacks the key 'conversation'"),
    (_set(0, "conversation", value=[]), "key 'conversation': expected an object, found a list"),
    (_drop(0, "qa"), "lacks the key 'qa'"),
    (_set(0, "qa", value={}), "key 'qa': expected a list, found an object"),
    (_set(0, value="text"), "conversation 0: expected an object, found text"),
    (_twice, "conversation 1: sample_id 'talk-1' occurs twice"),
    (_drop(*TALK, "speaker_b"), "lacks the key 'speaker_b'"),
    (_drop(*TALK, "session_2_date_time"), "session 2: lacks the key 'session_2_date_time'"),
    (
        _set(*TALK, "session_2_date_time", value="soon"),
        "session 2: its date cannot be read: 'soon' is not a date like",
    ),
    (
        _set(*TALK, "session_2_date_time", value="1:00 pm on 31 June, 2023"),
        "session 2: its date cannot be read: day",
    ),
    (_set(*TALK, "session_2", value="hm"), "session 2: expected a list, found text"),
    (
        _set(*TALK, "session_2", 0, "dia_id", value="D1:2"),
        "session 2, turn 0: dia_id 'D1:2' occurs twice",
    ),
    (_drop(*TALK, "session_1", 1, "text"), "session 1, turn 1: lacks the key 'text'"),
    (
        _set(*TALK, "session_1", 1, "text", value=None),
        "session 1, turn 1, key 'text': expected text, found nothing",
    ),
    (
        _set(*TALK, "session_1", 1, "text", value="\ud800"),
        "session 1, turn 1, key 'text': holds half a character",
    ),
    (
        _set(*TALK, "session_1", 1, "img_url", value="x"),
        "key 'img_url': expected a list, found text",
    ),
    (_drop(0, "qa", 0, "question"), "question 0: lacks the key 'question'"),
    (_drop(0, "qa", 0, "answer"), "question 0: lacks the key 'answer'"),
    (_drop(0, "qa", 1, "category"), "question 1: lacks the key 'category'"),
    (_set(0, "qa", 1, "category", value=6), "question 1: category 6 is none of 1 to 5"),
    (_set(0, "qa", 1, "category", value=True), "question 1: category True is none of 1 to 5"),
    (_set(0, "qa", 0, "answer", value=[1]), "key 'answer': expected text, found a list"),
    (_set(0, "qa", 0, "answer", value=True), "key 'answer': expected text, found true or false"),
    (_set(0, "qa", 0, "answer", value=""), "question 0, key 'answer': is empty; write"),
    (_set(0, "qa", 0, "answer", value=" \n"), "question 0, key 'answer': is empty; write"),
    (_set(0, "qa", 1, "adversarial_answer", value=""), "key 'adversarial_answer': is empty; write"),
    (_set(0, "qa", 0, "answer", value=math.nan), "key 'answer': NaN is no answer; write"),
    (_set(0, "qa", 0, "answer", value=math.inf), "key 'answer': Infinity is no answer; write"),
    (_set(0, "qa", 0, "answer", value="nan"), "key 'answer': 'nan' stands for a missing value"),
    (_set(0, "qa", 0, "answer", value="\u200b\ufeff"), "question 0, key 'answer': is empty; write"),
    (_set(0, "qa", 0, "answer", value="#N/A"), "'#N/A' stands for a missing value"),
    (_set(0, "qa", 0, "answer", value=10**400), "key 'answer': a number that long is no answer"),
    (_set(0, "qa", 0, "question", value="NaN"), "the question 'NaN' stands for a missing value"),
    (_set(0, "qa", 0, "Evidence", value=[]), "the key 'Evidence' would be left out; rename it to"),
    (_set(0, "qa", 1, "adversarialAnswer", value="x"), "rename it to 'adversarial_answer'"),
    (_set(*TALK, "session_1", 0, "Img_URL", value=["x"]), "rename it to 'img_url'"),
    (_set(*TALK, "session_1", 0, "text", value="\u200b"), "session 1, turn 0: says nothing"),
    (_set(0, "qa", 1, "adversarial_answer", value=math.nan), "NaN is no answer"),
    (_set(0, "qa", 0, "question", value=math.nan), "expected text, found a number"),
    (_drop(0, "qa", 1, "adversarial_answer"), "question 1: has neither 'adversarial_answer' nor"),
    (_set(*TALK, "session_1", 0, "text", value=" "), "session 1, turn 0: says nothing"),
    (_drop(*TALK, "session_1", 0, "dia_id"), "session 1, turn 0: lacks the key 'dia_id'"),
    (_set(*TALK, "session_1", 0, "dia_id", value="D2:1"), "dia_id 'D2:1' is of session 2"),
    (_set(*TALK, "session_1", 1, "dia_id", value="D1:3"), "'D1:3' does not follow 'D1:1'"),
    (_set(*TALK, "session_2", 0, "dia_id", value="D2:2"), "does not follow the session's start"),
    (_set(*TALK, "session_2", value=[]), "session 2: has no turns"),
    (_set(*TALK, "session_1", value=None), "session 2: there is no session 1 before it"),
]


@pytest.mark.parametrize(("spoil", "text"), FAULTS, ids=[text for _, text in FAULTS])
def test_each_fault_is_reported_in_one_line_with_its_place(
    spoil: Callable[[Any], None], text: str
) -> None:
    content = small_file()
    spoil(content)
    with pytest.raises(DatasetError) as caught:
        parse_dataset(encoded(content), "small.json")
    line = str(caught.value)
    assert line.startswith("data set small.json, line 1: ")
    assert text in line
    assert "\n" not in line


TURNS = [{"speaker": "Ada", "dia_id": "D9:1", "text": "Unheard."}]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("session_0", TURNS),
        ("session_0", []),
        ("session_-1", TURNS),
        ("session_03", TURNS),
        ("Session_3", TURNS),
        ("session 3", TURNS),
        ("session_3 ", TURNS),
        ("session3", TURNS),
        ("sesion_3", TURNS),
        ("session_three", TURNS),
        ("session_3_turns", TURNS),
    ],
)
def test_turns_under_a_key_that_is_no_session_are_refused(key: str, value: object) -> None:
    content = small_file()
    content[0]["conversation"][key] = value
    with pytest.raises(DatasetError, match=rf"key '{key}': its turns would be left out"):
        parse_dataset(encoded(content), "x")


def test_what_else_a_conversation_holds_is_left_alone() -> None:
    content = small_file()
    content[0]["conversation"] |= {
        "session_1_summary": "Ada bought a kite.",
        "session_1_facts": {"Ada": [["Ada has a kite", "D1:1"]]},
        "events_session_1": [{"date": "8 May", "Ada": ["buys a kite"]}],
    }
    parse_dataset(encoded(content), "x")


def test_sessions_without_a_gap_are_asked_for() -> None:
    content = _with_sessions(5)
    del content[0]["conversation"]["session_4"]
    with pytest.raises(DatasetError, match="session 5: there is no session 4 before it; give"):
        parse_dataset(encoded(content), "x")


def test_an_image_with_words_is_a_turn_without_text() -> None:
    content = small_file()
    image = content[0]["conversation"]["session_1"][1]
    image["text"] = ""
    parse_dataset(encoded(content), "x")
    image["img_url"] = []  # its caption is then not sent
    with pytest.raises(DatasetError, match="session 1, turn 1: says nothing"):
        parse_dataset(encoded(content), "x")


@pytest.mark.parametrize("dia_ids", [("a", "b"), ("D1:0", "D1:1"), ("D1:7", "x"), ("1", "D3:4")])
def test_other_ids_of_turns_are_free(dia_ids: tuple[str, str]) -> None:
    content = small_file()
    for turn, dia_id in zip(content[0]["conversation"]["session_1"], dia_ids, strict=True):
        turn["dia_id"] = dia_id
    (conversation,) = parse_dataset(encoded(content), "x").conversations
    assert tuple(turn.dia_id for turn in conversation.turns[:2]) == dia_ids


def _line_of(text: str, last: str) -> int:
    return text[: text.rindex(last)].count("\n") + 1


@pytest.mark.parametrize("indent", [1, 4])
@pytest.mark.parametrize(
    ("spoil", "at"),
    [
        (_set(0, "qa", 0, "answer", value=""), '"answer": ""'),
        (_set(0, "qa", 0, "answer", value=math.nan), "NaN"),
        (_set(0, "qa", 0, "category", value="4"), '"category": "4"'),
        (_set(*TALK, "session_2", 0, "text", value=""), '"text": ""'),
        (_set(*TALK, "session_2", 0, "dia_id", value="D1:2"), '"dia_id": "D1:2"'),
        (_set(*TALK, "session_2_date_time", value="soon"), '"soon"'),
        (_set(*TALK, "session_0", value=TURNS), '"session_0"'),
        (_set(0, "sample_id", value="a|b"), '"a|b"'),
        (_set(*TALK, "session_1", 1, "img_url", 0, value=7), "7\n"),
        (_set(0, "qa", 1, value="text"), '"text"\n'),
    ],
)
def test_the_line_is_that_of_the_value(spoil: Callable[[Any], None], at: str, indent: int) -> None:
    content = small_file()
    spoil(content)
    text = json.dumps(content, indent=indent)
    with pytest.raises(DatasetError) as caught:
        parse_dataset(text.encode(), "x")
    assert str(caught.value).startswith(f"data set x, line {_line_of(text, at)}: conversation 0")


def test_a_value_hidden_by_its_own_key_is_refused() -> None:
    """Whoever merges two files by hand may have two sessions, or answers, under one key."""
    text = json.dumps(small_file(), indent=1)
    for key, twice in (("session_1", '"session_2": ['), ("answer", '"evidence": [')):
        at = text.index(twice)
        spoiled = f'{text[:at]}"{key}": [],\n{text[at:]}'
        line = text[:at].count("\n") + 1
        with pytest.raises(DatasetError, match=f"^data set x, line {line}: .*'{key}' occurs twice"):
            parse_dataset(spoiled.encode(), "x")


def test_the_line_is_told_whatever_the_encoding_and_line_ends() -> None:
    content = small_file()
    content[0]["qa"][0]["answer"] = ""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    line = _line_of(text, '"answer": ""')
    for data in (
        text.encode("utf-8-sig"),
        text.encode("utf-16"),
        text.replace("\n", "\r\n").encode(),
    ):
        with pytest.raises(DatasetError, match=f"line {line}:"):
            parse_dataset(data, "x")


def test_a_conversation_without_session_is_refused() -> None:
    content = small_file()
    content[0]["conversation"] = {"speaker_a": "Ada", "speaker_b": "Bo"}
    with pytest.raises(DatasetError, match="has no session"):
        parse_dataset(encoded(content), "x")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\xff", b"[" * 100_000, b'"text"', b"[]"])
def test_a_file_that_is_not_a_data_set_is_refused(data: bytes) -> None:
    with pytest.raises(DatasetError, match=r"^data set x: is not .*give a file like"):
        parse_dataset(data, "x")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.data())
def test_a_modified_file_is_read_or_refused_with_one_line(data: st.DataObject) -> None:
    content: Any = small_file()
    node = content
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
            continue
        node[key] = data.draw(_JSON)
        break
    try:
        parse_dataset(encoded(content), "x")
    except DatasetError as error:
        line = str(error)
    else:
        line = "read"
    assert "\n" not in line


def test_the_packaged_sample_covers_the_format() -> None:
    dataset = parse_dataset(Path(packaged_sample()).read_bytes(), "sample")
    assert [c.conversation for c in dataset.conversations] == ["sample-1", "sample-2"]
    for conversation in dataset.conversations:
        assert 4 <= len(conversation.sessions) <= 5
        assert {q.category for q in conversation.questions} == {1, 2, 3, 4, 5}
        assert not [q for q in conversation.questions if q.evidence_unresolved]
        assert all(q.evidence for q in conversation.questions)
        assert {t.speaker for t in conversation.turns} == {
            conversation.speaker_a,
            conversation.speaker_b,
        }
        assert [t for t in conversation.turns if t.image_caption and not t.image_urls]
        assert "7" in (golds := [q.gold_answer for q in conversation.questions]) or "9" in golds
    first = dataset.conversations[0]
    texts = Counter(q.question for q in first.questions)
    assert texts.most_common(1)[0][1] == 2
    assert [q for q in first.questions if q.evidence != q.evidence_as_written]


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_FILE.exists(), reason="../shared/data is not on this machine")
def test_the_real_file_can_be_read() -> None:
    data = REAL_FILE.read_bytes()
    dataset = parse_dataset(data, "locomo10.json")
    turns = [turn for c in dataset.conversations for turn in c.turns]
    questions = [q for c in dataset.conversations for q in c.questions]
    assert (dataset.sha256, dataset.size_bytes) == (REAL_SHA256, 2_805_274)
    assert len(dataset.conversations) == 10
    assert sum(len(c.sessions) for c in dataset.conversations) == 272
    assert (len(turns), len(questions)) == (5882, 1986)
    assert Counter(q.category for q in questions) == {1: 282, 2: 321, 3: 96, 4: 841, 5: 446}
    assert sum(bool(turn.image_urls) for turn in turns) == 910
    assert sum(turn.image_caption is not None for turn in turns) == 1226
    assert sum(q.evidence != tuple(dict.fromkeys(q.evidence_as_written)) for q in questions) == 9
    assert [q.evidence_unresolved for q in questions if q.evidence_unresolved] == [
        ("D10:19",),
        ("D",),
        ("D4:36",),
    ]
    assert sum(q.category < 5 and not q.evidence_as_written for q in questions) == 4
    assert sum(q.gold_answer is None for q in questions) == 444
    assert [(q.gold_answer, q.adversarial_answer) for q in questions if q.category == 5] == [
        (raw.get("answer"), raw["adversarial_answer"])
        for sample in json.loads(data)
        for raw in sample["qa"]
        if raw["category"] == 5
    ]


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_FILE.exists(), reason="../shared/data is not on this machine")
@pytest.mark.parametrize("kept", ["trap", "answer, else trap", "both"])
def test_copies_of_the_real_file_have_its_traps(kept: str) -> None:
    content = json.loads(REAL_FILE.read_bytes())
    expected = []
    for question in (q for sample in content for q in sample["qa"] if q["category"] == 5):
        right, trap = question.get("answer"), question["adversarial_answer"]
        question["answer"] = right if right and kept == "answer, else trap" else trap
        if kept != "both":
            del question["adversarial_answer"]
        # A trap that says itself that nothing is mentioned can't be fallen into.
        known_trap = None if trap == "Not mentioned" and kept != "both" else trap
        expected.append((right if kept == "answer, else trap" else None, known_trap))
    found = [
        (q.gold_answer, q.adversarial_answer)
        for one in parse_dataset(encoded(content), "copy.json").conversations
        for q in one.questions
        if q.category == 5
    ]
    assert found == expected
