"""From a LoCoMo file, local or behind a URL, to conversations; each refusal names its line.

Reading is bounded and checked against a pinned SHA-256 where one is given.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx

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
from locomo_assets.urls import is_loopback, without_credentials

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DATE = re.compile(
    r"(\d{1,2}):(\d{2})\s*(am|pm)\s+on\s+(\d{1,2})\s+([a-z]+),?\s+(\d{4})", re.IGNORECASE | re.ASCII
)
_SESSION_KEY = re.compile(r"session_([1-9]\d{0,5})", re.ASCII)
_SAMPLE_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the file we are, for the error's text."""

    source: str
    where: str = ""

    def at(self, where: str) -> "_Place":
        return _Place(self.source, f"{self.where}, {where}" if self.where else where)

    def wrong(self, what: str) -> NoReturn:
        place = f": {self.where}" if self.where else ""
        raise DatasetError(f"data set {self.source}{place}: {what}")


def parse_dataset(data: bytes, source: str) -> Dataset:
    """Read a LoCoMo file's bytes. `source` only names them, in errors and in the result.

    Raises DatasetError, naming the conversation, turn or question, for whatever cannot be read.
    """
    place = _Place(source)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        place.wrong(
            f"is not JSON ({' '.join(str(error).split())}); give a file like LoCoMo's locomo10.json"
        )
    if not isinstance(content, list) or not content:
        place.wrong("is not a list of conversations; give a file like LoCoMo's locomo10.json")
    conversations: dict[str, Conversation] = {}
    for index, sample in enumerate(content):
        conversation = _conversation(sample, place.at(f"conversation {index}"))
        if conversation.conversation in conversations:
            place.at(f"conversation {index}").wrong(
                f"sample_id {conversation.conversation!r} occurs twice; ids must differ"
            )
        conversations[conversation.conversation] = conversation
    return Dataset(
        sha256=hashlib.sha256(data).hexdigest(),
        source=source,
        size_bytes=len(data),
        conversations=tuple(conversations.values()),
    )


def parse_session_date(text: str) -> datetime:
    """Read `1:56 pm on 8 May, 2023` as UTC (the file names no zone). Raises ValueError."""
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


def _conversation(sample: Any, place: _Place) -> Conversation:
    sample = _object(sample, place)
    sample_id = _text(sample, "sample_id", place)
    if not _SAMPLE_ID.fullmatch(sample_id):
        place.wrong(
            f"sample_id {sample_id!r} must be letters, digits, '-', '_' and single dots, at most "
            "100; it becomes a partition key"
        )
    place = _Place(place.source, f"{place.where} ({sample_id})")
    talk = _object(_needed(sample, "conversation", place), place.at("key 'conversation'"))
    numbers = sorted(
        int(match[1])
        for key, value in talk.items()
        if (match := _SESSION_KEY.fullmatch(key)) and value is not None
    )
    if not numbers:
        place.wrong("has no session; expected keys 'session_1', 'session_2', …")
    sessions = tuple(_session(talk, number, place) for number in numbers)
    dia_ids: set[str] = set()
    for session in sessions:
        for turn in session.turns:
            if turn.dia_id in dia_ids:
                place.at(f"session {session.session_index}, turn {turn.turn_index}").wrong(
                    f"dia_id {turn.dia_id!r} occurs twice; ids must differ within a conversation"
                )
            dia_ids.add(turn.dia_id)
    questions = _list(_needed(sample, "qa", place), place.at("key 'qa'"))
    return Conversation(
        conversation=sample_id,
        speaker_a=_text(talk, "speaker_a", place),
        speaker_b=_text(talk, "speaker_b", place),
        sessions=sessions,
        questions=tuple(
            _question(question, index, dia_ids, place.at(f"question {index}"))
            for index, question in enumerate(questions)
        ),
    )


def _session(talk: dict[str, Any], number: int, place: _Place) -> Session:
    place = place.at(f"session {number}")
    date_text = _text(talk, f"session_{number}_date_time", place)
    try:
        started_at = parse_session_date(date_text)
    except ValueError as error:
        place.wrong(f"its date cannot be read: {error}")
    return Session(
        session_index=number,
        started_at=started_at,
        date_text=date_text,
        turns=tuple(
            _turn(turn, number, index, place.at(f"turn {index}"))
            for index, turn in enumerate(_list(talk[f"session_{number}"], place))
        ),
    )


def _turn(turn: Any, session_index: int, turn_index: int, place: _Place) -> Turn:
    turn = _object(turn, place)
    return Turn(
        session_index=session_index,
        turn_index=turn_index,
        dia_id=_text(turn, "dia_id", place),
        speaker=_text(turn, "speaker", place),
        text=_text(turn, "text", place, may_be_empty=True),
        image_urls=_texts(turn, "img_url", place),
        image_query=_optional_text(turn, "query", place),
        image_caption=_optional_text(turn, "blip_caption", place),
    )


def _question(question: Any, index: int, dia_ids: set[str], place: _Place) -> Question:
    question = _object(question, place)
    category = _needed(question, "category", place)
    if type(category) is not int or category not in OFFICIAL_NAMES:
        place.wrong(f"category {category!r} is none of 1 to 5")
    gold_answer = _answer(question, "answer", place)
    adversarial_answer = _answer(question, "adversarial_answer", place)
    if category != ADVERSARIAL and gold_answer is None:
        place.wrong("lacks the key 'answer', which only adversarial questions may do without")
    as_written = _texts(question, "evidence", place)
    evidence, unresolved = resolve_evidence(as_written, dia_ids)
    return Question(
        question_index=index,
        category=category,
        question=_text(question, "question", place),
        gold_answer=gold_answer,
        adversarial_answer=adversarial_answer,
        evidence_as_written=as_written,
        evidence=evidence,
        evidence_unresolved=unresolved,
    )


def _object(value: Any, place: _Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        place.wrong(f"expected an object, found {_kind(value)}")
    return value


def _list(value: Any, place: _Place) -> list[Any]:
    if not isinstance(value, list):
        place.wrong(f"expected a list, found {_kind(value)}")
    return value


def _needed(owner: dict[str, Any], key: str, place: _Place) -> Any:
    if key not in owner:
        place.wrong(f"lacks the key {key!r}")
    return owner[key]


def _text(owner: dict[str, Any], key: str, place: _Place, *, may_be_empty: bool = False) -> str:
    value = _storable(_needed(owner, key, place), place.at(f"key {key!r}"))
    if not may_be_empty and not value.strip():
        place.wrong(f"the key {key!r} is empty")
    return value


def _optional_text(owner: dict[str, Any], key: str, place: _Place) -> str | None:
    value = owner.get(key)
    return None if value is None else _storable(value, place.at(f"key {key!r}"))


def _texts(owner: dict[str, Any], key: str, place: _Place) -> tuple[str, ...]:
    value = owner.get(key)
    if value is None:
        return ()
    place = place.at(f"key {key!r}")
    return tuple(_storable(item, place) for item in _list(value, place))


def _answer(question: dict[str, Any], key: str, place: _Place) -> str | None:
    value = question.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None if value is None else _storable(value, place.at(f"key {key!r}"))


def _storable(value: Any, place: _Place) -> str:
    if not isinstance(value, str):
        place.wrong(f"expected text, found {_kind(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        place.wrong("holds half a character (a lone surrogate); repair the file's escapes")
    return value


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "nothing" if value is None else kinds.get(type(value), "a number")


__all__ = ["parse_dataset", "read_bytes", "read_dataset"]

_MAX_BYTES = 512 * 2**20
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def read_dataset(source: str, expected_sha256: str | None = None) -> Dataset:
    """Read the data set at a path or an https URL.

    `expected_sha256` (hex) is compared with the file's own; a URL cannot be read without it.
    Raises DatasetError for whatever is not found, not as pinned, or not a LoCoMo file.
    """
    name, data = read_bytes(source, expected_sha256, what="data set", error=DatasetError)
    return parse_dataset(data, name)


def read_bytes(
    source: str, expected_sha256: str | None, *, what: str, error: type[LocomoError]
) -> tuple[str, bytes]:
    """A file's bytes, and its name without credentials, from a path or an https URL.

    Raises `error`, whose text begins with `what`, as `read_dataset` does.
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


def _read(path: str, what: str, error: type[LocomoError]) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise error(f"{what} {path}: there is no such file; check the path") from None
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
    name = without_credentials(str(url))
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
        raise error(f"{what} {name}: only https URLs and paths are read; use one of these")
    if expected_sha256 is None:
        raise error(
            f"{what} {name}: a URL needs a pinned SHA-256, since what it serves may change; "
            "give the hash of the file you mean"
        )
    data = bytearray()
    try:
        with (
            httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client,
            client.stream("GET", url) as response,
        ):
            response.raise_for_status()
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > _MAX_BYTES:
                    raise error(
                        f"{what} {name}: is larger than {_MAX_BYTES >> 20} MiB; check the URL"
                    )
    except httpx.HTTPStatusError as failure:
        raise error(
            f"{what} {name}: the server answered {failure.response.status_code}; check the URL"
        ) from None
    except httpx.HTTPError as failure:
        raise error(
            f"{what} {name}: could not be fetched ({str(failure) or type(failure).__name__}); "
            "check the URL and the network, or download the file and give its path"
        ) from None
    return name, bytes(data)
