"""Retrieval: ranking and caching; context in a message; answers composed from memories."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import bm25s
import pytest

from locomo_assets.standin import retrieval
from locomo_assets.standin.records import Memory, NewMemory, Thread
from locomo_assets.standin.retrieval import ContextReader, Retriever, SearchHit, Tokenizer
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
    found = Retriever(state, Tokenizer()).search(made.assistant_id, question, 10)
    assert found[0].memory.text == TURNS[turn]
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0


def test_nothing_in_common_finds_nothing(thread: tuple[StandinState, Thread]) -> None:
    state, made = thread
    retriever = Retriever(state, Tokenizer())
    assert retriever.search(made.assistant_id, "Quantum chromodynamics?", 10) == []
    assert retriever.search(made.assistant_id, "what is the of?", 10) == []
    assert retriever.search("nobody", "necklace", 10) == []


def test_limit(thread: tuple[StandinState, Thread]) -> None:
    state, made = thread
    retriever = Retriever(state, Tokenizer())
    assert len(retriever.search(made.assistant_id, "Caroline Melanie May 2023", 10)) == 4
    assert len(retriever.search(made.assistant_id, "Caroline Melanie May 2023", 3)) == 3


def test_a_memory_without_any_word_does_no_harm(tmp_path: Path) -> None:
    with StandinState(tmp_path / "state.sqlite") as state:
        made = state.create_thread(state.create_assistant("a", {}).assistant_id)
        assert made is not None
        for text in ("🎉🎉", "Ada: I like opera"):
            remember(state, made, text)
        found = Retriever(state, Tokenizer()).search(made.assistant_id, "opera", 10)
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
    retriever = Retriever(state, Tokenizer())
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
    retriever = Retriever(state, Tokenizer())
    mine = retriever.search(made.assistant_id, "necklace", 10)
    theirs = retriever.search(other.assistant_id, "necklace", 10)
    assert [hit.memory.text for hit in mine] == [TURNS[2]]
    assert [hit.memory.text for hit in theirs] == ["Ada: a necklace of mine"]


CONVERSATION = """The conversation of Ann and Ben:

Session 1, 2023-05-08 13:56 UTC
Ann: I adopted a dog called Biscuit yesterday.
Ben: My new bike is red.

Session 2, 2023-06-09 10:00 UTC
Ben: I went to the opera last Friday."""


def test_a_single_line_is_only_a_question() -> None:
    assert ContextReader(Tokenizer()).read("What is Ann's dog called?\n", 10) == (
        "What is Ann's dog called?\n",
        [],
    )


def test_lines_before_the_last_are_found_and_dated_by_their_heading() -> None:
    reader = ContextReader(Tokenizer())
    for _ in range(2):
        question, found = reader.read(f"{CONVERSATION}\n\nAnswer this:\nWho went to the opera?", 10)
        assert question == "Who went to the opera?"
        assert found[0].memory.text == "Ben: I went to the opera last Friday."
        assert found[0].memory.said_at == datetime(2023, 6, 9, 10, tzinfo=UTC)


def test_the_answer_is_extracted_from_them() -> None:
    question, found = ContextReader(Tokenizer()).read(
        f"{CONVERSATION}\nWhen did Ann adopt a dog?", 10
    )
    assert "7 May 2023" in retrieval.answer(question, found, Tokenizer())


def test_unreadable_text_is_ignored() -> None:
    reader = ContextReader(Tokenizer())
    for text in ("2023-99-99", ":\n:", "\n \n", "Ann: ?"):
        assert reader.read(f"{text}\nWho?", 10)[1] == []


TOKENIZER = Tokenizer()


def found(*texts: str, day: int = 8) -> list[SearchHit]:
    said_at = datetime(2023, 5, day, tzinfo=UTC)
    return [
        SearchHit(Memory(str(number), text, said_at, "thread", "message", 0.0), 3.0 / (number + 1))
        for number, text in enumerate(texts)
    ]


def test_without_memories_the_answer_is_unknown() -> None:
    assert retrieval.answer("Where is Ada?", [], TOKENIZER) == retrieval.UNKNOWN


def test_the_best_sentence_comes_first() -> None:
    hits = found("Ada: Hi Bob! I moved here from Sweden four years ago. Nice weather.")
    answer = retrieval.answer("Where did Ada move from?", hits, TOKENIZER)
    assert answer.startswith("Ada: I moved here from Sweden four years ago.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada: I went to the support group yesterday and it was powerful.", "7 May 2023"),
        ("Ada: I joined the support group last Friday.", "5 May 2023"),
        ("Ada: I went to the support group last week.", "The week before 8 May 2023"),
        ("Ada: The support group was great.", "8 May 2023"),
    ],
)
def test_when_is_answered_by_a_date(text: str, expected: str) -> None:
    answer = retrieval.answer("When did Ada go to the support group?", found(text), TOKENIZER)
    assert answer.startswith(expected)
    assert "support group" in answer


def test_the_date_of_the_fitting_sentence_counts() -> None:
    text = "Ada: Last year I sang. Yesterday I ran a charity race."
    answer = retrieval.answer("When did Ada run the charity race?", found(text), TOKENIZER)
    assert answer.startswith("7 May 2023")


def test_questions_are_used_only_without_statements() -> None:
    hits = found("When did Ada adopt the dog?", "Ada: We adopted the dog yesterday.")
    answer = retrieval.answer("When did Ada adopt the dog?", hits, TOKENIZER)
    assert answer.startswith("7 May 2023: Ada: We adopted the dog")
    only_questions = found("Bob: Did you adopt the dog yesterday?")
    assert retrieval.answer("When did Ada adopt the dog?", only_questions, TOKENIZER).startswith(
        "7 May"
    )


def test_it_is_deterministic() -> None:
    hits = found("Ada: I paint. I sing. I dance. I read.", "Bob: I paint too.")
    answers = {retrieval.answer("What does Ada paint?", hits, TOKENIZER) for _ in range(5)}
    assert len(answers) == 1
