"""Parsing the file format, its one-line errors, and reading from paths and loopback URLs."""

import copy
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.locomo.model import DatasetError
from locomo_assets.locomo.parsing import parse_dataset, parse_session_date, read_dataset
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


def test_sessions_are_in_numeric_order_and_dates_without_session_are_ignored() -> None:
    content = small_file()
    talk = content[0]["conversation"]
    talk["session_10_date_time"] = "9:00 am on 2 July, 2023"
    talk["session_10"] = [{"speaker": "Bo", "dia_id": "D10:1", "text": "Hello"}]
    talk["session_11_date_time"] = "no date at all"
    content[0]["conversation"] = dict(sorted(talk.items()))
    (conversation,) = parse_dataset(encoded(content), "x").conversations
    assert [session.session_index for session in conversation.sessions] == [1, 2, 10]


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
    assert line.startswith("data set small.json")
    assert text in line
    assert "\n" not in line


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


DATA = encoded(small_file())
SHA256 = hashlib.sha256(DATA).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/data.json")
            self.end_headers()
            return
        if self.path.startswith("/cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            self.wfile.write(DATA[:50])
            return
        self.send_response(200 if self.path.startswith("/data.json") else 404)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_reads_a_path(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_bytes(DATA)
    dataset = read_dataset(str(path), SHA256.upper())
    assert (dataset.sha256, dataset.source) == (SHA256, str(path))
    assert dataset.size_bytes == len(DATA)


def test_reads_the_packaged_sample() -> None:
    assert len(read_dataset(packaged_sample()).conversations) == 2


@pytest.mark.parametrize("path", ["/data.json", "/moved"])
def test_reads_a_url_with_a_pinned_hash(base_url: str, path: str) -> None:
    assert read_dataset(base_url + path, SHA256).sha256 == SHA256


def test_credentials_in_a_url_are_not_stored(base_url: str) -> None:
    url = base_url.replace("http://", "http://me:secret@") + "/data.json?token=secret#part"
    dataset = read_dataset(url, SHA256)
    assert dataset.source == base_url + "/data.json"
    with pytest.raises(DatasetError) as caught:
        read_dataset(url, "0" * 64)
    assert "secret" not in str(caught.value)


def test_a_url_without_a_hash_is_refused(base_url: str) -> None:
    with pytest.raises(DatasetError, match="needs a pinned SHA-256"):
        read_dataset(base_url + "/data.json")


@pytest.mark.parametrize("source", ["http://example.org/x.json", "ftp://127.0.0.1/x", "file:///x"])
def test_only_https_is_read_from_remote_hosts(source: str) -> None:
    with pytest.raises(DatasetError, match="only https URLs and paths"):
        read_dataset(source, SHA256)


@pytest.mark.parametrize(
    ("path", "text"), [("/nothing", "answered 404"), ("/cut", "could not be fetched")]
)
def test_a_failed_download_names_its_cause(base_url: str, path: str, text: str) -> None:
    with pytest.raises(DatasetError, match=text):
        read_dataset(base_url + path, SHA256)


def test_a_server_that_is_down_is_named() -> None:
    with pytest.raises(DatasetError, match="could not be fetched"):
        read_dataset("http://127.0.0.1:9/data.json", SHA256)


def test_a_wrong_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_bytes(DATA + b" ")
    with pytest.raises(DatasetError, match="not the expected"):
        read_dataset(str(path), SHA256)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such file"):
        read_dataset(str(tmp_path / "none.json"))
    with pytest.raises(DatasetError, match=r"cannot be read \(Is a directory\)"):
        read_dataset(str(tmp_path))
    with pytest.raises(DatasetError, match="cannot be read"):
        read_dataset("\0")
