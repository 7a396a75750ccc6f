"""Reading a LoCoMo file, from a path or a URL, and parsing it into conversations.

Reading is limited in size and time, and checked against a pinned SHA-256 if one is given.
"""

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import httpx

from locomo_assets.bounded import (
    DATASET_BYTES,
    GZIP_ONLY,
    UnusableBodyError,
    download_pieces,
    read_file,
)
from locomo_assets.errors import LocomoError
from locomo_assets.locomo.model import (
    ADVERSARIAL,
    OFFICIAL_NAMES,
    Conversation,
    Dataset,
    DatasetError,
    Question,
    Session,
    Turn,
    resolve_evidence,
)
from locomo_assets.redaction import without_credentials

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DATE = re.compile(
    r"(\d{1,2}):(\d{2})\s*(am|pm)\s+on\s+(\d{1,2})\s+([a-z]+),?\s+(\d{4})", re.IGNORECASE | re.ASCII
)
_SESSION_KEY = re.compile(r"session_([1-9]\d{0,5})", re.ASCII)
_SAMPLE_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,99}", re.ASCII)

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def read_dataset(source: str, expected_sha256: str | None = None) -> Dataset:
    """Read the data set at a path or an https URL.

    `expected_sha256` (hex) must match the file's; a URL needs it. Raises DatasetError if the file
    is not found, does not match, or is not a LoCoMo file.
    """
    name, data = read_bytes(source, expected_sha256, what="data set", error=DatasetError)
    return parse_dataset(data, name)


def parse_dataset(data: bytes, source: str) -> Dataset:
    """Parse a LoCoMo file's bytes. `source` names them in errors and in the result.

    Raises DatasetError, naming the conversation, turn or question that can't be read.
    """
    location = _Location(source)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        location.fail(
            f"is not JSON ({' '.join(str(error).split())}); give a file like LoCoMo's locomo10.json"
        )
    if not isinstance(content, list) or not content:
        location.fail("is not a list of conversations; give a file like LoCoMo's locomo10.json")
    conversations: dict[str, Conversation] = {}
    for index, sample in enumerate(content):
        conversation = _conversation(sample, location.at(f"conversation {index}"))
        if conversation.conversation in conversations:
            location.at(f"conversation {index}").fail(
                f"sample_id {conversation.conversation!r} occurs twice; ids must differ"
            )
        conversations[conversation.conversation] = conversation
    return Dataset(
        sha256=hashlib.sha256(data).hexdigest(),
        source=source,
        size_bytes=len(data),
        conversations=tuple(conversations.values()),
    )


def read_bytes(
    source: str, expected_sha256: str | None, *, what: str, error: type[LocomoError]
) -> tuple[str, bytes]:
    """The name, without credentials, and the bytes of a file at a path or an https URL.

    Raises `error` as `read_dataset` does, with messages that begin with `what`.
    """
    if "://" in source:
        name, data = _download(source, expected_sha256, what, error)
    else:
        name, data = source, _read(source, what, error)
    if expected_sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != expected_sha256.strip().lower():
            raise error(
                f"{what} {name}: its SHA-256 is {found}, not the expected {expected_sha256}; "
                "give the right file, or the hash of this one if you trust it"
            )
    return name, data


def parse_session_date(text: str) -> datetime:
    """Read `1:56 pm on 8 May, 2023` as UTC, as the file has no zones. Raises ValueError."""
    match = _DATE.fullmatch(text.strip())
    if match is None or match[5].lower() not in _MONTHS:
        raise ValueError(f"{text!r} is not a date like '1:56 pm on 8 May, 2023'")
    hour, minute, half, day, month, year = match.groups()
    if not 1 <= int(hour) <= 12:
        raise ValueError(f"{text!r} has no hour between 1 and 12")
    return datetime(
        int(year),
        _MONTHS.index(month.lower()) + 1,
        int(day),
        int(hour) % 12 + (12 if half.lower() == "pm" else 0),
        int(minute),
        tzinfo=UTC,
    )


@dataclass(frozen=True, slots=True)
class _Location:
    """A position in the file, for error messages."""

    source: str
    where: str = ""

    def at(self, where: str) -> "_Location":
        return _Location(self.source, f"{self.where}, {where}" if self.where else where)

    def fail(self, what: str) -> NoReturn:
        location = f": {self.where}" if self.where else ""
        raise DatasetError(f"data set {self.source}{location}: {what}")


def _conversation(sample: Any, location: _Location) -> Conversation:
    sample = _object(sample, location)
    sample_id = _text(sample, "sample_id", location)
    if not _SAMPLE_ID.fullmatch(sample_id):
        location.fail(
            f"sample_id {sample_id!r} must be letters, digits, '-', '_' and single dots, at most "
            "100; it becomes a partition key"
        )
    location = _Location(location.source, f"{location.where} ({sample_id})")
    talk = _object(_needed(sample, "conversation", location), location.at("key 'conversation'"))
    numbers = sorted(
        int(match[1])
        for key, value in talk.items()
        if (match := _SESSION_KEY.fullmatch(key)) and value is not None
    )
    if not numbers:
        location.fail("has no session; expected keys 'session_1', 'session_2', …")
    sessions = tuple(_session(talk, number, location) for number in numbers)
    dia_ids: set[str] = set()
    for session in sessions:
        for turn in session.turns:
            if turn.dia_id in dia_ids:
                location.at(f"session {session.session_index}, turn {turn.turn_index}").fail(
                    f"dia_id {turn.dia_id!r} occurs twice; ids must differ within a conversation"
                )
            dia_ids.add(turn.dia_id)
    questions = _list(_needed(sample, "qa", location), location.at("key 'qa'"))
    return Conversation(
        conversation=sample_id,
        speaker_a=_text(talk, "speaker_a", location),
        speaker_b=_text(talk, "speaker_b", location),
        sessions=sessions,
        questions=tuple(
            _question(question, index, dia_ids, location.at(f"question {index}"))
            for index, question in enumerate(questions)
        ),
    )


def _session(talk: dict[str, Any], number: int, location: _Location) -> Session:
    location = location.at(f"session {number}")
    date_text = _text(talk, f"session_{number}_date_time", location)
    try:
        started_at = parse_session_date(date_text)
    except ValueError as error:
        location.fail(f"its date cannot be read: {error}")
    return Session(
        session_index=number,
        started_at=started_at,
        date_text=date_text,
        turns=tuple(
            _turn(turn, number, index, location.at(f"turn {index}"))
            for index, turn in enumerate(_list(talk[f"session_{number}"], location))
        ),
    )


def _turn(turn: Any, session_index: int, turn_index: int, location: _Location) -> Turn:
    turn = _object(turn, location)
    return Turn(
        session_index=session_index,
        turn_index=turn_index,
        dia_id=_text(turn, "dia_id", location),
        speaker=_text(turn, "speaker", location),
        text=_text(turn, "text", location, may_be_empty=True),
        image_urls=_texts(turn, "img_url", location),
        image_query=_optional_text(turn, "query", location),
        image_caption=_optional_text(turn, "blip_caption", location),
    )


def _question(question: Any, index: int, dia_ids: set[str], location: _Location) -> Question:
    question = _object(question, location)
    category = _needed(question, "category", location)
    if type(category) is not int or category not in OFFICIAL_NAMES:
        location.fail(f"category {category!r} is none of 1 to 5")
    gold_answer = _answer(question, "answer", location)
    adversarial_answer = _answer(question, "adversarial_answer", location)
    if category != ADVERSARIAL and gold_answer is None:
        location.fail("lacks the key 'answer', which only adversarial questions may omit")
    as_written = _texts(question, "evidence", location)
    evidence, unresolved = resolve_evidence(as_written, dia_ids)
    return Question(
        question_index=index,
        category=category,
        question=_text(question, "question", location),
        gold_answer=gold_answer,
        adversarial_answer=adversarial_answer,
        evidence_as_written=as_written,
        evidence=evidence,
        evidence_unresolved=unresolved,
    )


def _object(value: Any, location: _Location) -> dict[str, Any]:
    if not isinstance(value, dict):
        location.fail(f"expected an object, found {_kind(value)}")
    return value


def _list(value: Any, location: _Location) -> list[Any]:
    if not isinstance(value, list):
        location.fail(f"expected a list, found {_kind(value)}")
    return value


def _needed(owner: dict[str, Any], key: str, location: _Location) -> Any:
    if key not in owner:
        location.fail(f"lacks the key {key!r}")
    return owner[key]


def _text(
    owner: dict[str, Any], key: str, location: _Location, *, may_be_empty: bool = False
) -> str:
    value = _storable(_needed(owner, key, location), location.at(f"key {key!r}"))
    if not may_be_empty and not value.strip():
        location.fail(f"the key {key!r} is empty")
    return value


def _optional_text(owner: dict[str, Any], key: str, location: _Location) -> str | None:
    value = owner.get(key)
    return None if value is None else _storable(value, location.at(f"key {key!r}"))


def _texts(owner: dict[str, Any], key: str, location: _Location) -> tuple[str, ...]:
    value = owner.get(key)
    if value is None:
        return ()
    location = location.at(f"key {key!r}")
    return tuple(_storable(item, location) for item in _list(value, location))


def _answer(question: dict[str, Any], key: str, location: _Location) -> str | None:
    value = question.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None if value is None else _storable(value, location.at(f"key {key!r}"))


def _storable(value: Any, location: _Location) -> str:
    if not isinstance(value, str):
        location.fail(f"expected text, found {_kind(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        location.fail("holds half a character (a lone surrogate); repair the file's escapes")
    return value


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "nothing" if value is None else kinds.get(type(value), "a number")


def _read(path: str, what: str, error: type[LocomoError]) -> bytes:
    try:
        return read_file(path, DATASET_BYTES)
    except FileNotFoundError:
        raise error(f"{what} {path}: there is no such file; check the path") from None
    except UnusableBodyError as failure:
        raise error(f"{what} {path}: {failure}") from None
    except (OSError, ValueError) as failure:
        cause = (failure.strerror if isinstance(failure, OSError) else None) or str(failure)
        raise error(f"{what} {path}: cannot be read ({cause}); give a readable file") from failure


def _download(
    source: str, expected_sha256: str | None, what: str, error: type[LocomoError]
) -> tuple[str, bytes]:
    try:
        url = httpx.URL(source)
    except httpx.InvalidURL as failure:
        raise error(f"{what} URL cannot be read ({failure}); check it") from None
    # The name is stored and printed, so it must not hold credentials.
    name = without_credentials(str(url))
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
        raise error(f"{what} {name}: only https URLs and paths are read; use one of these")
    if expected_sha256 is None:
        raise error(
            f"{what} {name}: a URL needs a pinned SHA-256, because its content may change; "
            "give the hash of the file you mean"
        )
    try:
        with (
            httpx.Client(timeout=_TIMEOUT, follow_redirects=True, headers=GZIP_ONLY) as client,
            client.stream("GET", url) as response,
        ):
            response.raise_for_status()
            data = b"".join(download_pieces(response, DATASET_BYTES))
    except UnusableBodyError as failure:
        raise error(f"{what} {name}: {failure}") from None
    except httpx.HTTPStatusError as failure:
        raise error(
            f"{what} {name}: the server answered {failure.response.status_code}; check the URL"
        ) from None
    except httpx.HTTPError as failure:
        raise error(
            f"{what} {name}: could not be fetched ({str(failure) or type(failure).__name__}); "
            "check the URL and the network, or download the file and give its path"
        ) from None
    return name, data


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
