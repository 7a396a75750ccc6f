"""What is counted from the server's record, where turns and questions came more than once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets.locomo.model import Conversation
from locomo_assets.standin.records import Thread
from locomo_assets.standin.state import StandinState
from locomo_assets_tests.chaos.outcome import read_outcome
from locomo_assets_tests.chaos.place import Place
from locomo_assets_tests.chaos.serving import events_path
from locomo_assets_tests.chaos.small_dataset import small_dataset
from locomo_assets_tests.runs.fixtures import turn_texts


class Told:
    """A record that is written by hand."""

    def __init__(self, home: Path) -> None:
        self._path = home / "served.sqlite"
        self._state = StandinState(self._path)
        self._at = 0.0

    def thread(self, conversation: Conversation) -> Thread:
        name = f"LoCoMo Test Assistant 1 {conversation.conversation} r1"
        assistant = self._state.create_assistant(name, {})
        thread = self._state.create_thread(assistant.assistant_id)
        assert thread is not None
        return thread

    def say(self, thread: Thread, text: str, role: str = "user") -> None:
        saved = self._state.save_message(
            thread, role=role, content=text, status="COMPLETED", metadata={}, memory=None
        )
        assert saved is not None
        with events_path(self._path).open("a") as journal:
            what = [saved.message_id, saved.created_at]
            journal.write(json.dumps({"at": saved.created_at, "kind": "message", "what": what}))
            journal.write("\n")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with subprocess.Popen([sys.executable, "-c", ""]) as nothing:
        yield Place(tmp_path, 1, small_dataset(tmp_path), None, nothing)


def test_all_once_is_right_though_a_text_is_said_twice(place: Place) -> None:
    told = Told(place.home)
    for conversation in place.dataset.conversations:
        thread = told.thread(conversation)
        for text in turn_texts(conversation):
            told.say(thread, text)
    outcome = read_outcome(place, valid=False)
    assert (outcome.turns, outcome.questions) == (64, 20)
    assert (outcome.doubled, outcome.noticed, outcome.lost) == (0, 0, 0)


def test_a_turn_too_many_counts_also_where_its_text_is_said_twice(place: Place) -> None:
    told, (one, *_) = Told(place.home), place.dataset.conversations
    thread, texts = told.thread(one), turn_texts(one)
    for text in [*texts, texts[4], texts[0]]:
        told.say(thread, text)
    assert read_outcome(place, valid=False).noticed == 2


def test_questions_asked_again_with_and_without_an_answer_before(place: Place) -> None:
    told, (one, *_) = Told(place.home), place.dataset.conversations
    thread = told.thread(one)
    told.say(thread, turn_texts(one)[0])
    first, second, third = (question.question for question in one.questions[:3])
    for text, role in (
        (first, "user"),
        ("An answer", "assistant"),
        (first, "user"),  # answered before
        (second, "user"),
        (second, "user"),  # not answered before
        (third, "user"),
    ):
        told.say(thread, text, role)
    outcome = read_outcome(place, valid=False)
    assert (outcome.asked_again, outcome.unanswered_again, outcome.in_one_thread) == (1, 1, 2)


@pytest.mark.parametrize("twice", [True, False])
def test_questions_of_a_damaged_copy_are_asked_anew(place: Place, twice: bool) -> None:
    told, (one, *_) = Told(place.home), place.dataset.conversations
    told.say(told.thread(one), turn_texts(one)[0])
    first, second, *_ = (question.question for question in one.questions)
    copy, other_copy = told.thread(one), told.thread(one)
    for text, role in ((first, "user"), ("An answer", "assistant"), (second, "user")):
        told.say(copy, text, role)
    if twice:
        told.say(copy, second)
    told.say(other_copy, first)
    assert read_outcome(place, valid=False).asked_again == (0 if twice else 1)
