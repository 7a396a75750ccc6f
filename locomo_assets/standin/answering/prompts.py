"""Reading an answerer's prompt: the question, and the memories it is to be answered from.

Prompts are other people's: what is read is what most have in common, listed memories and a line
`Question:`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from locomo_assets.standin.records import Memory

_QUESTION = re.compile(r"^[^\w\n]*question\b[^\w\n]*:[^\w\n]*", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(r"\bmemories\b[^.!?\n]*:\W*$", re.IGNORECASE)
_MARK = re.compile(r"\s*(?:\(?\d{1,4}[.):]|[-*\u2022])\s+")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(
    rf"\W*(?P<date>\d{{1,2}} (?:{_MONTHS}) \d{{4}}|\d{{4}}-\d\d-\d\d)"
    r"(?:[ T]\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:\d\d)?)?\W*"
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked, and from what it is to be answered."""

    question: str
    memories: tuple[Memory, ...]


def read_prompt(text: str) -> Prompt | None:
    """The question and the memories of a prompt, or None if it is no answerer's.

    The question follows the last `Question:`, or is the last line where memories come before it.
    Memories are the numbered, bulleted or dated lines; where a line ends as `memories:`, those
    below it, and if none is such, all below it. A memory begins with its date (`[8 May 2023]`,
    `2023-05-08`); without one it counts as said today.
    """
    question, rest = _split(text)
    lines = rest.splitlines()
    headings = [number for number, line in enumerate(lines) if _HEADING.search(line)]
    told = [line for line in lines[headings[0] if headings else 0 :] if not _HEADING.search(line)]
    entries = _listed(told)
    if not entries and headings:
        entries = [line.strip() for line in told if line.strip()]
    if not question or not (entries or _QUESTION.search(text)):
        return None
    now = datetime.now(UTC)
    return Prompt(question, tuple(_memory(i, entry, now) for i, entry in enumerate(entries)))


def _split(text: str) -> tuple[str, str]:
    """The question, and the text around it."""
    labels = list(_QUESTION.finditer(text))
    if not labels:
        before, _, question = text.strip().rpartition("\n")
        return question.strip(), before
    asked, _, after = text[labels[-1].end() :].strip().partition("\n\n")
    return " ".join(asked.split()), f"{text[: labels[-1].start()]}\n{after}"


def _listed(lines: Iterable[str]) -> list[str]:
    """The entries of the lists among the lines, without their marks; an entry may span lines."""
    entries: list[str] = []
    is_open = False
    for line in lines:
        mark = _MARK.match(line)
        if mark or _DATE.match(line):
            entries.append(line[mark.end() if mark else 0 :].strip())
            is_open = True
        elif is_open and line.strip():
            entries[-1] += f"\n{line.strip()}"
        else:
            is_open = False
    return entries


def _memory(number: int, entry: str, now: datetime) -> Memory:
    dated = _DATE.match(entry)
    said_at = _parsed(dated["date"]) if dated else None
    text = entry[dated.end() :] if dated and said_at else entry
    return Memory(f"line-{number}", text, said_at or now, "", "", 0.0)


def _parsed(date: str) -> datetime | None:
    for form in ("%Y-%m-%d", "%d %B %Y"):
        try:
            return datetime.strptime(date, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
