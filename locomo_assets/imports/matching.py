"""Which question of the data set an entry of a file is about.

By its index where it states one, else by its text. A text that occurs twice in a conversation is
told apart by category and gold answer, else by the order of the file, and refused where neither
settles it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from locomo_assets.imports.results import ImportRefusedError
from locomo_assets.imports.shapes import Entry, Place
from locomo_assets.locomo.model import ADVERSARIAL, Conversation, Dataset, Question

_ID = re.compile(r"(?P<conversation>.+)_qa(?P<question>\d{1,4})")
_NUMBERED = re.compile(r"(?P<name>.*?)(?P<number>\d{1,4})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Match:
    """The question of an entry."""

    conversation: str
    question: Question

    @property
    def key(self) -> tuple[str, int]:
        return self.conversation, self.question.question_index

    def __str__(self) -> str:
        return f"question {self.question.question_index} of {self.conversation}"


def match_entries(entries: Sequence[tuple[Place, Entry]], dataset: Dataset) -> list[Match]:
    """The question of each entry, in the same order. Raises ImportRefusedError with the place."""
    by_name = {one.conversation: one for one in dataset.conversations}
    questions = _Questions(dataset, by_name)
    found = [questions.candidates(place, entry) for place, entry in entries]
    # Each judge's entries of a conversation are a series of their own.
    series: dict[tuple[str, str | None], list[int]] = {}
    for at, candidates in enumerate(found):
        series.setdefault((candidates[0].conversation, entries[at][1].judge), []).append(at)
    matched: dict[int, Match] = {}
    for places in series.values():
        order = _settle([found[at] for at in places])
        for at, match in zip(places, order, strict=True):
            if match is None:
                why = "the order of the file does not settle which"
                raise _ambiguous(entries[at][0], found[at], why)
            matched[at] = match
    return [matched[at] for at in range(len(entries))]


def match_each(entries: Sequence[tuple[Place, Entry]], dataset: Dataset) -> list[Match]:
    """The same where the order of the entries says nothing. Raises ImportRefusedError."""
    questions = _Questions(dataset, {one.conversation: one for one in dataset.conversations})
    found = [questions.candidates(place, entry) for place, entry in entries]
    for (place, _), candidates in zip(entries, found, strict=True):
        if len(candidates) > 1:
            raise _ambiguous(place, candidates, "it does not say which")
    return [candidates[0] for candidates in found]


def _ambiguous(place: Place, candidates: Sequence[Match], why: str) -> ImportRefusedError:
    one = candidates[0]
    return ImportRefusedError(
        f"{place}: the text {one.question.question!r:.80} stands in {one.conversation} "
        f"{len(candidates)} times, as the questions "
        f"{', '.join(str(m.question.question_index) for m in candidates)}, and {why}; add "
        "`question_index`"
    )


class _Questions:
    """The data set's questions, by conversation and text."""

    def __init__(self, dataset: Dataset, by_name: Mapping[str, Conversation]) -> None:
        self._source = dataset.source
        self._by_name = by_name
        self._names = list(by_name)
        self._by_text: dict[str, list[Match]] = {}
        for one in by_name.values():
            for question in one.questions:
                text = _plain(question.question)
                self._by_text.setdefault(text, []).append(Match(one.conversation, question))

    def candidates(self, place: Place, entry: Entry) -> list[Match]:
        """The questions of one conversation that an entry may be about, in order."""
        label = entry.conversation if entry.conversation is not None else place.group
        index = entry.question_index
        known_id = _ID.fullmatch(entry.question_id) if isinstance(entry.question_id, str) else None
        conversation = self._conversation(label)
        if known_id and index is None and conversation is None:
            label = known_id["conversation"]
            conversation = self._conversation(label)
        if known_id and index is None:
            index = int(known_id["question"])
        if conversation is None and entry.conversation is not None:
            raise ImportRefusedError(
                f"{place}: conversation {entry.conversation!r:.80} is not in the data set "
                f"{self._source}; name the right one with --dataset or LOCOMO_DATASET"
            )
        if (
            index is not None
            and conversation is not None
            and not (entry.question is None and label not in self._by_name)
        ):
            return [self._check(place, entry, self._indexed(place, conversation, index))]
        if entry.question is None:
            raise ImportRefusedError(
                f"{place}: needs `question`, or `conversation` and `question_index`; nothing was "
                "imported"
            )
        return self._by_question(place, entry, entry.question, conversation)

    def _conversation(self, label: str | None) -> str | None:
        """By name, or by the number at its end, from 0, where no conversation is named alike."""
        if label is None or label in self._by_name:
            return label
        found = _NUMBERED.fullmatch(label)
        if found is None:
            return None
        alike = re.compile(re.escape(found["name"]) + r"\d+")
        if found["name"] and any(alike.fullmatch(name) for name in self._names):
            return None
        return self._at(int(found["number"]))

    def _at(self, number: int) -> str | None:
        return self._names[number] if number < len(self._names) else None

    def _indexed(self, place: Place, conversation: str, index: int) -> Match:
        questions = self._by_name[conversation].questions
        for question in questions:
            if question.question_index == index:
                return Match(conversation, question)
        raise ImportRefusedError(
            f"{place}: question_index {index} is not in {conversation}, which has "
            f"{len(questions)} questions, counted from 0; nothing was imported"
        )

    def _by_question(
        self, place: Place, entry: Entry, text: str, conversation: str | None
    ) -> list[Match]:
        found = [
            match
            for match in self._by_text.get(_plain(text), ())
            if conversation is None or match.conversation == conversation
        ]
        if not found:
            where = conversation or f"the data set {self._source}"
            group = "" if place.group in (None, conversation) else f" (`{place.group}`)"
            raise ImportRefusedError(
                f"{place}: the question {text!r:.80} is not in {where}{group}; name the data set "
                "that was measured with --dataset or LOCOMO_DATASET"
            )
        fitting = [match for match in found if _difference(entry, match.question) is None]
        if not fitting:
            self._check(place, entry, found[0])
        names = list(dict.fromkeys(match.conversation for match in fitting))
        if len(names) > 1:
            raise ImportRefusedError(
                f"{place}: the question {text!r:.80} is in {' and in '.join(names[:2])}; add "
                "`conversation`"
            )
        return fitting

    def _check(self, place: Place, entry: Entry, match: Match) -> Match:
        if difference := _difference(entry, match.question):
            raise ImportRefusedError(
                f"{place}: {difference} as in the data set ({match}); nothing was imported"
            )
        return match


def _difference(entry: Entry, question: Question) -> str | None:
    """How what an entry states of its question differs from the data set, if it does."""
    stated: list[tuple[str, str | int | None, str | int | None]] = [
        ("question", entry.question, question.question),
        ("category", entry.category, question.category),
    ]
    # Of adversarial questions others state all kinds of gold answers, such as the text "None".
    if question.category != ADVERSARIAL:
        stated.append(("gold answer", entry.gold_answer, question.gold_answer))
    for field, found, expected in stated:
        if found is not None and _plain(found) != _plain(expected):
            return f"{field} is {found!r:.80}, not {expected!r:.80}"
    return None


def _plain(value: str | int | None) -> str:
    """Without differences of white space."""
    return " ".join(str(value).split())


def _settle(series: Sequence[Sequence[Match]]) -> list[Match | None]:
    """One of each entry's candidates, None where they can't be told apart.

    If the entries stand in the data set's order, each has a first and a last place where it can
    be; it is settled where these are one.
    """
    firsts: list[Match | None] = []
    at = -1
    for candidates in series:
        first = next((one for one in candidates if one.question.question_index > at), None)
        firsts.append(first)
        at = at if first is None else first.question.question_index
    lasts: list[Match | None] = []
    at = 2**31
    for candidates in reversed(series):
        last = next((one for one in reversed(candidates) if one.question.question_index < at), None)
        lasts.append(last)
        at = at if last is None else last.question.question_index
    lasts.reverse()
    in_order = None not in firsts
    return [
        candidates[0] if len(candidates) == 1 else first if in_order and first is last else None
        for candidates, first, last in zip(series, firsts, lasts, strict=True)
    ]
