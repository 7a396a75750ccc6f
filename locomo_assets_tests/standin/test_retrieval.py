"""Retrieval: the right memory first, the index rebuilt only when the set has changed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import bm25s
import pytest

from locomo_assets.standin.records import NewMemory, Thread
from locomo_assets.standin.retrieval import Retriever, Words
from locomo_assets.standin.state import StandinState

MAY = datetime(2023, 5, 8, tzinfo=UTC)
TURNS = (
    "Caroline: I went to a support group for artists yesterday.",
    "Melanie: The kids and I painted a sunrise over the lake.",
    "Caroline: My grandmother in Sweden gave me a necklace.",
    "Melanie: Camping in the mountains was so quiet.",
)


@pytest.fixture
def thread(tmp_path: Path) -> Iterator[tuple[StandinState, Thread]]:
    with StandinState(tmp_path / "state.sqlite") as state:
        made = state.create_thread(state.create_assistant("a", {}).assistant_id)
        assert made is not None
        for turn in TURNS:
            remember(state, made, turn)
        yield state, made


def remember(state: StandinState, thread: Thread, text: str, delay_s: float = 0.0) -> None:
    state.save_message(
        thread,
        role="user",
        content=text,
        status="COMPLETED",
        metadata={},
        memory=NewMemory(MAY, delay_s, "formed"),
    )


@pytest.mark.parametrize(
    ("question", "turn"),
    [
        ("When did Caroline attend the support groups?", 0),
        ("What did Melanie paint with her kid?", 1),
        ("Who gave Caroline the necklaces?", 2),
        ("Where did Melanie camp?", 3),
    ],
)
def test_the_turn_that_speaks_of_it_comes_first(
    thread: tuple[StandinState, Thread], question: str, turn: int
) -> None:
    state, made = thread
    found = Retriever(state, Words()).search(made.assistant_id, question, 10)
    assert found[0].memory.text == TURNS[turn]
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0


def test_nothing_in_common_finds_nothing(thread: tuple[StandinState, Thread]) -> None:
    state, made = thread
    retriever = Retriever(state, Words())
    assert retriever.search(made.assistant_id, "Quantum chromodynamics?", 10) == []
    assert retriever.search(made.assistant_id, "what is the of?", 10) == []
    assert retriever.search("nobody", "necklace", 10) == []


def test_limit(thread: tuple[StandinState, Thread]) -> None:
    state, made = thread
    retriever = Retriever(state, Words())
    assert len(retriever.search(made.assistant_id, "Caroline Melanie May 2023", 10)) == 4
    assert len(retriever.search(made.assistant_id, "Caroline Melanie May 2023", 3)) == 3


def test_a_memory_without_any_word_does_no_harm(tmp_path: Path) -> None:
    with StandinState(tmp_path / "state.sqlite") as state:
        made = state.create_thread(state.create_assistant("a", {}).assistant_id)
        assert made is not None
        for text in ("🎉🎉", "Ada: I like opera"):
            remember(state, made, text)
        found = Retriever(state, Words()).search(made.assistant_id, "opera", 10)
        assert [hit.memory.text for hit in found] == ["Ada: I like opera"]


def test_the_index_is_rebuilt_only_when_the_visible_set_has_changed(
    thread: tuple[StandinState, Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    state, made = thread
    built = []
    index = bm25s.BM25.index

    def counting(self: bm25s.BM25, *args: object, **kwargs: object) -> None:
        built.append(self)
        index(self, *args, **kwargs)

    monkeypatch.setattr(bm25s.BM25, "index", counting)
    retriever = Retriever(state, Words())
    for _ in range(3):
        retriever.search(made.assistant_id, "necklace", 10)
    assert len(built) == 1
    remember(state, made, "Ada: I like opera", delay_s=0.1)
    assert retriever.search(made.assistant_id, "opera", 10) == []
    assert len(built) == 1
    time.sleep(0.15)
    assert len(retriever.search(made.assistant_id, "opera", 10)) == 1
    assert len(built) == 2


def test_assistants_do_not_see_each_other(thread: tuple[StandinState, Thread]) -> None:
    state, made = thread
    other = state.create_thread(state.create_assistant("b", {}).assistant_id)
    assert other is not None
    remember(state, other, "Ada: a necklace of mine")
    retriever = Retriever(state, Words())
    mine = retriever.search(made.assistant_id, "necklace", 10)
    theirs = retriever.search(other.assistant_id, "necklace", 10)
    assert [hit.memory.text for hit in mine] == [TURNS[2]]
    assert [hit.memory.text for hit in theirs] == ["Ada: a necklace of mine"]
