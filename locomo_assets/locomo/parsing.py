"""Parsing a LoCoMo file into conversations, or refusing it by line.

What would be left out or misread without a word is refused, too.
"""

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, NoReturn

from locomo_assets.locomo.adversarial import UnknownTrapError, right_and_trap
from locomo_assets.locomo.json_lines import RepeatingObject, Step, line_of, parse_json
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
from locomo_assets.locomo.sources import read_bytes

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DATE = re.compile(
    r"(\d{1,2}):(\d{2})\s*(am|pm)\s+on\s+(\d{1,2})\s+([a-z]+),?\s+(\d{4})", re.IGNORECASE | re.ASCII
)
_SESSION_KEY = re.compile(r"session_([1-9]\d{0,5})", re.ASCII)
_LIKE_A_SESSION_KEY = re.compile(r"\W*session[\W_]*\d+\W*", re.IGNORECASE)
_DIA_ID = re.compile(r"D(\d{1,9}):(\d{1,9})", re.ASCII)
_TURN_KEYS = frozenset(("speaker", "dia_id", "text"))
_ALL_TURN_KEYS = _TURN_KEYS | {"img_url", "query", "blip_caption"}
_QUESTION_KEYS = frozenset(("question", "category", "answer", "adversarial_answer", "evidence"))
_NOTHING_EXPORTED = frozenset(
    (
        *("nan", "NaN", "NAN", "-nan", "NaT", "null", "NULL", "Null", "undefined", "<NA>", "<na>"),
        *("#N/A", "#NA", "#NULL!", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!"),
    )
)
"""What tables write where they have no value. `Nan` may be a grandmother, `None` an answer."""
_UNSEEN = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))
"""Unicode's categories of what shows nothing."""

_LARGEST_NUMBER = 1e100

_SAMPLE_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,99}", re.ASCII)


def read_dataset(source: str, expected_sha256: str | None = None) -> Dataset:
    """Read the data set at a path or an https URL.

    `expected_sha256` (hex) must match the file's; a URL needs it. Raises DatasetError if the file
    is not found, does not match, or is not a LoCoMo file.
    """
    name, data = read_bytes(source, expected_sha256, what="data set", error=DatasetError)
    return parse_dataset(data, name)


def parse_dataset(data: bytes, source: str) -> Dataset:
    """Parse a LoCoMo file's bytes. `source` names them in errors and in the result.

    Raises DatasetError, naming the line, and the conversation, turn or question that can't be
    read, or of which something would be left out.
    """
    location = _Location(source)
    try:
        content, text = parse_json(data)
    except (ValueError, RecursionError) as error:
        location.fail(
            f"is not JSON ({' '.join(str(error).split())}); give a file like LoCoMo's locomo10.json"
        )
    if not isinstance(content, list) or not content:
        location.fail("is not a list of conversations; give a file like LoCoMo's locomo10.json")
    location = _Location(source, text)
    conversations: dict[str, Conversation] = {}
    for index, sample in enumerate(content):
        here = location.at(f"conversation {index}", index)
        conversation = _conversation(sample, here)
        if conversation.conversation in conversations:
            here.fail(
                f"sample_id {conversation.conversation!r} occurs twice; ids must differ",
                "sample_id",
            )
        conversations[conversation.conversation] = conversation
    return Dataset(
        sha256=hashlib.sha256(data).hexdigest(),
        source=source,
        size_bytes=len(data),
        conversations=tuple(conversations.values()),
    )


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


class _Location:
    """A position in the file, for error messages: of the file itself, or a way on from another.

    There is one for every value that is read, so it is put into words once something fails.
    """

    __slots__ = ("_outer", "_steps", "_where", "source", "text")

    def __init__(
        self,
        source: str,
        text: str | None = None,
        outer: "_Location | None" = None,
        where: str = "",
        steps: tuple[Step, ...] = (),
    ) -> None:
        self.source = source
        self.text = text
        """The file's, once it is known."""
        self._outer = outer
        self._where = where
        self._steps = steps

    def at(self, where: str, *steps: Step) -> "_Location":
        return self._on(f", {where}", steps)

    def key(self, key: str) -> "_Location":
        return self._on(f", key {key!r}", (key,))

    def within(self, key: str) -> "_Location":
        """A step that is not told."""
        return self._on("", (key,))

    def called(self, name: str) -> "_Location":
        return self._on(f" ({name})", ())

    def _on(self, where: str, steps: tuple[Step, ...]) -> "_Location":
        return _Location(self.source, self.text, self, where, steps)

    def fail(self, what: str, *steps: Step) -> NoReturn:
        """`steps` lead on to the value whose line is told."""
        where = ""
        here: _Location | None = self
        while here is not None:
            where, steps, here = here._where + where, (*here._steps, *steps), here._outer
        line = "" if self.text is None else f", line {line_of(self.text, steps)}"
        location = f": {where.removeprefix(', ')}" if where else ""
        raise DatasetError(f"data set {self.source}{line}{location}: {what}")


def _conversation(sample: Any, location: _Location) -> Conversation:
    sample = _object(sample, location)
    sample_id = _text(sample, "sample_id", location)
    if not _SAMPLE_ID.fullmatch(sample_id):
        location.fail(
            f"sample_id {sample_id!r} must be letters, digits, '-', '_' and single dots, at most "
            "100; it becomes a partition key",
            "sample_id",
        )
    location = location.called(sample_id)
    in_talk = location.within("conversation")
    talk = _object(_needed(sample, "conversation", location), location.key("conversation"))
    sessions = tuple(_session(talk, number, in_talk) for number in _numbers(talk, in_talk))
    dia_ids: set[str] = set()
    for session in sessions:
        for turn in session.turns:
            if turn.dia_id in dia_ids:
                _turn_location(turn.session_index, turn.turn_index, in_talk).fail(
                    f"dia_id {turn.dia_id!r} occurs twice; ids must differ within a conversation",
                    "dia_id",
                )
            dia_ids.add(turn.dia_id)
        _check_turn_numbers(session, in_talk)
    questions = _list(_needed(sample, "qa", location), location.key("qa"))
    return Conversation(
        conversation=sample_id,
        speaker_a=_text(talk, "speaker_a", in_talk),
        speaker_b=_text(talk, "speaker_b", in_talk),
        sessions=sessions,
        questions=tuple(
            _question(question, index, dia_ids, location.at(f"question {index}", "qa", index))
            for index, question in enumerate(questions)
        ),
    )


def _numbers(talk: dict[str, Any], location: _Location) -> list[int]:
    """The sessions' numbers, in order. Fails where turns stand elsewhere, or a session lacks."""
    numbers = []
    for key, value in talk.items():
        match = _SESSION_KEY.fullmatch(key)
        if match is not None and value is not None:
            numbers.append(int(match[1]))
        elif value is not None and (_LIKE_A_SESSION_KEY.fullmatch(key) or _holds_turns(value)):
            location.key(key).fail(
                "its turns would be left out: sessions are 'session_1', 'session_2', …; rename "
                "the key, or remove it"
            )
    if not numbers:
        location.fail("has no session; expected keys 'session_1', 'session_2', …")
    numbers.sort()
    for expected, number in enumerate(numbers, start=1):
        if number != expected:
            location.at(f"session {number}", f"session_{number}").fail(
                f"there is no session {expected} before it; give the missing one, or number the "
                "sessions from 1 without gaps"
            )
    return numbers


def _holds_turns(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(one, dict) and len(_TURN_KEYS.intersection(one)) > 1 for one in value
    )


def _check_turn_numbers(session: Session, location: _Location) -> None:
    """Where a session's ids are all like `D1:2`, they are of this session, one after the other."""
    matches = [_DIA_ID.fullmatch(turn.dia_id) for turn in session.turns]
    before: int | None = None
    for turn, match in zip(session.turns, matches, strict=True):
        if match is None or None in matches:
            return
        here = _turn_location(turn.session_index, turn.turn_index, location)
        if int(match[1]) != session.session_index:
            here.fail(
                f"dia_id {turn.dia_id!r} is of session {int(match[1])}; move the turn there, or "
                "correct its id",
                "dia_id",
            )
        number = int(match[2])
        # The first may be 0 or 1.
        if number > 1 if before is None else number != before + 1:
            after = "the session's start" if before is None else f"'D{match[1]}:{before}'"
            here.fail(
                f"dia_id {turn.dia_id!r} does not follow {after}: turns are missing or out of "
                "order; give them, or number them without gaps",
                "dia_id",
            )
        before = number


def _session(talk: dict[str, Any], number: int, location: _Location) -> Session:
    named = location.at(f"session {number}")
    date_key, key = f"session_{number}_date_time", f"session_{number}"
    if date_key not in talk:
        named.fail(f"lacks the key {date_key!r}; give the session's date", key)
    date_text = _text(talk, date_key, named)
    try:
        started_at = parse_session_date(date_text)
    except ValueError as error:
        named.fail(f"its date cannot be read: {error}", date_key)
    turns = _list(talk[key], location.at(f"session {number}", key))
    if not turns:
        named.fail("has no turns; give them, or remove the session and number on", key)
    return Session(
        session_index=number,
        started_at=started_at,
        date_text=date_text,
        turns=tuple(
            _turn(turn, number, index, _turn_location(number, index, location))
            for index, turn in enumerate(turns)
        ),
    )


def _turn_location(session_index: int, turn_index: int, location: _Location) -> _Location:
    where = f"session {session_index}, turn {turn_index}"
    return location.at(where, f"session_{session_index}", turn_index)


def _turn(turn: Any, session_index: int, turn_index: int, location: _Location) -> Turn:
    turn = _object(turn, location)
    _check_keys(turn, _ALL_TURN_KEYS, location)
    found = Turn(
        session_index=session_index,
        turn_index=turn_index,
        dia_id=_text(turn, "dia_id", location),
        speaker=_text(turn, "speaker", location),
        text=_text(turn, "text", location, may_be_empty=True),
        image_urls=_texts(turn, "img_url", location),
        image_query=_optional_text(turn, "query", location),
        image_caption=_optional_text(turn, "blip_caption", location),
    )
    shows = any(found.image_urls) and (found.image_query or found.image_caption)
    if is_blank(found.text) and not shows:
        location.fail("says nothing: the key 'text' is empty; give what was said", "text")
    return found


def _question(question: Any, index: int, dia_ids: set[str], location: _Location) -> Question:
    question = _object(question, location)
    _check_keys(question, _QUESTION_KEYS, location)
    category = _needed(question, "category", location)
    if type(category) is not int or category not in OFFICIAL_NAMES:
        location.fail(f"category {category!r} is none of 1 to 5", "category")
    text = _text(question, "question", location)
    if text.strip() in _NOTHING_EXPORTED:
        location.fail(f"the question {text!r} stands for a missing value; write it", "question")
    gold_answer = _answer(question, "answer", location)
    adversarial_answer = _answer(question, "adversarial_answer", location)
    if category == ADVERSARIAL:
        try:
            gold_answer, adversarial_answer = right_and_trap(text, gold_answer, adversarial_answer)
        except UnknownTrapError as error:
            location.fail(str(error), "answer")
    elif gold_answer is None:
        location.fail("lacks the key 'answer', which only adversarial questions may omit")
    as_written = _texts(question, "evidence", location)
    evidence, unresolved = resolve_evidence(as_written, dia_ids)
    return Question(
        question_index=index,
        category=category,
        question=text,
        gold_answer=gold_answer,
        adversarial_answer=adversarial_answer,
        evidence_as_written=as_written,
        evidence=evidence,
        evidence_unresolved=unresolved,
    )


def _object(value: Any, location: _Location) -> dict[str, Any]:
    if not isinstance(value, dict):
        location.fail(f"expected an object, found {_kind(value)}")
    if isinstance(value, RepeatingObject):
        key = value.repeated_key
        location.fail(f"the key {key!r} occurs twice, which hides what came first; keep one", key)
    return value


def _check_keys(owner: dict[str, Any], known: Collection[str], location: _Location) -> None:
    """Fails at a key that is a known one in another spelling: its value would be left out."""
    for key, value in owner.items():
        if key in known or value is None:
            continue
        for meant in known:
            if _letters(meant) == _letters(key):
                location.fail(f"the key {key!r} would be left out; rename it to {meant!r}", key)


def _letters(key: str) -> str:
    return "".join(filter(str.isalnum, key)).lower()


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
    value = _storable(_needed(owner, key, location), location.key(key))
    if not may_be_empty and is_blank(value):
        location.fail(f"the key {key!r} is empty", key)
    return value


def _optional_text(owner: dict[str, Any], key: str, location: _Location) -> str | None:
    value = owner.get(key)
    return None if value is None else _storable(value, location.key(key))


def _texts(owner: dict[str, Any], key: str, location: _Location) -> tuple[str, ...]:
    value = owner.get(key)
    if value is None:
        return ()
    location = location.key(key)
    items = enumerate(_list(value, location))
    return tuple(_storable(item, location, index) for index, item in items)


def _answer(question: dict[str, Any], key: str, location: _Location) -> str | None:
    value = question.get(key)
    if value is None:
        return None
    location = location.key(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) > _LARGEST_NUMBER or math.isnan(value):
            found = json.dumps(value) if isinstance(value, float) else "a number that long"
            location.fail(f"{found} is no answer; write the answer, as text or as a number")
        return str(value)
    answer = _storable(value, location)
    if is_blank(answer) or answer.strip() in _NOTHING_EXPORTED:
        found = "is empty" if is_blank(answer) else f"{answer!r} stands for a missing value"
        location.fail(f"{found}; write the answer, or remove the question")
    return answer


def is_blank(value: str) -> bool:
    """Whether a text shows nothing: empty, or of white space and unseen characters alone."""
    return all(unicodedata.category(one) in _UNSEEN for one in value)


def _storable(value: Any, location: _Location, *steps: Step) -> str:
    if not isinstance(value, str):
        location.fail(f"expected text, found {_kind(value)}", *steps)
    try:
        value.encode()
    except UnicodeEncodeError:
        location.fail("holds half a character (a lone surrogate); repair its escapes", *steps)
    return value


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "nothing" if value is None else kinds.get(type(value), "a number")
