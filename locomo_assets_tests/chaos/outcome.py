"""What the server's own record says of the runs of a place: doubled, lost, asked again."""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from locomo_assets.history import database
from locomo_assets.locomo.model import Conversation
from locomo_assets_tests.chaos.place import Place
from locomo_assets_tests.runs.fixtures import RecordedMessage, turn_texts

_RESTS_ON = (
    "SELECT DISTINCT ingestions.assistant_id FROM current_answers "
    "JOIN ingestions USING (ingestion_id)"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts of a place after its runs.

    `doubled` and `lost` are turns of the assistants that valid numbers rest on; `noticed` are
    doubled turns of all others. `in_one_thread` are questions that a thread holds twice.
    `asked_again` are questions asked again although an answer to them had been saved.
    """

    turns: int
    doubled: int
    noticed: int
    lost: int
    questions: int
    in_one_thread: int
    unanswered_again: int
    asked_again: int


def read_outcome(place: Place, *, valid: bool) -> Outcome:
    """Compare the record with the data set; `valid`: the last run called its numbers so."""
    rests_on = _rests_on(place) if valid else set()
    messages = place.record.messages()
    arrivals = dict(_arrivals(place))
    found = [
        _of_conversation(one, messages, rests_on, arrivals) for one in place.dataset.conversations
    ]
    totals: Counter[str] = Counter()
    for one in found:
        totals.update(one)
    return Outcome(turns=place.turns, questions=place.questions, **{n: totals[n] for n in _COUNTED})


_COUNTED = ("doubled", "noticed", "lost", "in_one_thread", "unanswered_again", "asked_again")


def _rests_on(place: Place) -> set[str]:
    if not place.database_path.exists():
        return set()
    return {str(one) for (one,) in database.query(place.database_path, _RESTS_ON)[1]}


def _arrivals(place: Place) -> Iterable[tuple[str, float]]:
    for _, what in place.events("message"):
        assert isinstance(what, list)
        yield str(what[0]), float(what[1])


def _of_conversation(
    conversation: Conversation,
    messages: list[RecordedMessage],
    rests_on: set[str],
    arrivals: dict[str, float],
) -> Counter[str]:
    counted: Counter[str] = Counter()
    own = [one for one in messages if f" {conversation.conversation} " in one.assistant_name]
    turns = Counter(turn_texts(conversation))
    told = {
        assistant: Counter(
            one.content
            for one in own
            if one.assistant_id == assistant and one.role == "user" and one.content in turns
        )
        for assistant in dict.fromkeys(one.assistant_id for one in own)
    }
    # A copy that questions are put to was told nothing itself.
    told = {assistant: texts for assistant, texts in told.items() if texts}
    for assistant, texts in told.items():
        doubled = (texts - turns).total()
        counted["doubled" if assistant in rests_on else "noticed"] += doubled
        if assistant in rests_on:
            counted["lost"] += (turns - texts).total()
    if rests_on and not rests_on & set(told):
        counted["lost"] += turns.total()
    begun = _begun_anew(own, set(told), arrivals)
    for question in conversation.questions:
        asked: dict[int, list[RecordedMessage]] = {}
        for one in own:
            if one.role == "user" and one.content == question.question:
                which = bisect(begun, arrivals[one.message_id])
                asked.setdefault(which, []).append(one)
        for same in asked.values():
            counted.update(_of_question(same, own, arrivals))
    return counted


def _begun_anew(
    own: list[RecordedMessage], told: set[str], arrivals: dict[str, float]
) -> list[float]:
    """When a new assistant, or a new copy in the place of a damaged one, was begun.

    What is asked there was not asked before. A copy is damaged if a thread holds a question twice.
    """
    begun, is_damaged = [], False
    for assistant in dict.fromkeys(one.assistant_id for one in own):
        said = [one for one in own if one.assistant_id == assistant]
        if assistant in told or is_damaged:
            begun.append(min(arrivals[one.message_id] for one in said))
        if assistant not in told:
            asked = Counter((one.thread_id, one.content) for one in said if one.role == "user")
            is_damaged = max(asked.values()) > 1
    return sorted(begun)


def _of_question(
    asked: list[RecordedMessage], own: list[RecordedMessage], arrivals: dict[str, float]
) -> Counter[str]:
    """Of one question that was asked, at least once, with the same memory."""
    counted: Counter[str] = Counter()
    counted["in_one_thread"] = sum(
        times - 1 for times in Counter(one.thread_id for one in asked).values()
    )
    answered_at = [at for one in asked for at in _answered_at(one, own)]
    for one in sorted(asked, key=lambda message: arrivals[message.message_id])[1:]:
        was_answered = any(at < arrivals[one.message_id] for at in answered_at)
        counted["asked_again" if was_answered else "unanswered_again"] += 1
    return counted


def _answered_at(asked: RecordedMessage, own: list[RecordedMessage]) -> list[float]:
    """When the answer to a question was saved; it is the next message of its thread."""
    thread = [one for one in own if one.thread_id == asked.thread_id]
    after = thread[thread.index(asked) + 1 :]
    return [after[0].saved_at] if after and after[0].role == "assistant" else []
