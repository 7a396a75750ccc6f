"""Memory Pro: its scores, its dated memories, and what it finds that Lite misses."""

from datetime import UTC, date, datetime

import pytest

from locomo_assets.standin.memories.pro import rescored, with_date
from locomo_assets.standin.records import Memory
from locomo_assets_tests.standin.client import StandinClient

MAY = datetime(2023, 5, 8, tzinfo=UTC)
PRO = {"memory_pro": "Auto", "memory": ""}
READONLY_PRO = {"memory_pro": "Readonly", "memory": ""}
ASKED = "Which instrument does Ben practise?"
ANSWER = "Ben: The cello, every single evening."
TALK = (
    "Ann: The weather is fine.",
    "Ann: Which instrument do you practise these days?",
    ANSWER,
    "Ann: Lovely.",
)


def memory(text: str, thread_id: str = "t", speaker: str | None = None) -> Memory:
    metadata = {"speaker": speaker} if speaker else None
    return Memory(text, text, MAY, thread_id, "m", 0.0, written_metadata=metadata)


def test_neighbours_of_the_same_thread_share_a_score() -> None:
    # Threads are written side by side: their memories are mixed.
    memories = [memory(f"{n}", thread) for n, thread in enumerate("ababababa")]
    scores = [0.0] * 4 + [10.0] + [0.0] * 4
    assert rescored(memories, scores, "x") == [2.0, 0.0, 4.0, 0.0, 10.0, 0.0, 5.0, 0.0, 2.0]


def test_what_clients_wrote_has_no_neighbours() -> None:
    assert rescored([memory("a", ""), memory("b", "")], [1.0, 0.0], "x") == [1.0, 0.0]


@pytest.mark.parametrize(
    ("query", "first", "second"),
    [("What does Ann like?", 2.0, 1.0), ("ben's hobby", 1.0, 2.0), ("Annabel?", 1.0, 1.0)],
)
def test_memories_of_a_speaker_whom_the_query_names_count_double(
    query: str, first: float, second: float
) -> None:
    memories = [memory("Ann: opera", "a"), memory("Ben likes opera.", "b", speaker="Ben")]
    assert rescored(memories, [1.0, 1.0], query) == [first, second]


@pytest.mark.parametrize(
    ("text", "dated"),
    [
        ("Ann: I ran yesterday.", "Ann: I ran yesterday (7 May 2023)."),
        ("Ann: I ran last Friday, too.", "Ann: I ran last Friday (5 May 2023), too."),
        ("Ann: I ran last year.", "Ann: I ran last year (2022)."),
        ("Ann: I ran last week.", "Ann: I ran last week."),
        ("Ann: I was born on 3 June 1990.", "Ann: I was born on 3 June 1990."),
        ("Ann: I run.", "Ann: I run."),
    ],
)
def test_a_phrase_of_time_gets_its_date(text: str, dated: str) -> None:
    assert with_date(text, date(2023, 5, 8)) == dated


def told(client: StandinClient, mode: dict[str, str]) -> str:
    assistant_id = client.assistant()
    thread_id = client.thread(assistant_id)
    for text in TALK:
        client.turn(thread_id, text, **mode)
    return assistant_id


def texts(memories: list[dict[str, str]], key: str = "memory") -> list[str]:
    return [one[key].partition("] ")[2] for one in memories]


def test_pro_finds_an_answer_that_shares_no_word_with_the_question(client: StandinClient) -> None:
    assistant_id = told(client, {})
    question = "Which instrument was practised?"
    lite = client.ask(client.thread(assistant_id), question)[-1]["retrieved_memories"]
    pro = client.ask(client.thread(assistant_id), question, **READONLY_PRO)[-1]
    assert texts(lite) == [TALK[1]]
    assert ANSWER in texts(pro["retrieved_memories"])
    assert texts(pro["retrieved_memories"])[0] == TALK[1]


def test_pro_answers_with_what_it_finds(client: StandinClient) -> None:
    assistant_id = told(client, PRO)
    *events, _ = client.ask(client.thread(assistant_id), ASKED, **READONLY_PRO)
    assert ANSWER in "".join(event.get("content", "") for event in events)


@pytest.mark.parametrize(("mode", "is_pro"), [({}, False), (PRO, True)])
def test_searching_goes_by_how_the_memory_was_formed(
    client: StandinClient, mode: dict[str, str], is_pro: bool
) -> None:
    assistant_id = told(client, mode)
    for found_in in (assistant_id, cloned(client, assistant_id)):
        found = client.post(
            f"/assistants/{found_in}/memories/search", query="instrument practised", limit=3
        )["memories"]
        assert (ANSWER in texts(found, "content")) is is_pro


def cloned(client: StandinClient, assistant_id: str) -> str:
    return str(client.post(f"/assistants/{assistant_id}/clone")["assistant"]["assistant_id"])


def test_a_pro_memory_is_dated_and_its_message_is_as_sent(client: StandinClient) -> None:
    assistant_id = client.assistant()
    thread_id = client.thread(assistant_id)
    saved = client.turn(thread_id, "Ann: I ran yesterday.", **PRO)
    operation = client.get(f"/assistants/memories/operations/{saved['memory_operation_id']}")
    (remembered,) = client.get(f"/assistants/{assistant_id}/memories")["memories"]
    assert operation["memory_ids"] == [remembered["id"]]
    assert remembered["content"] == "[8 May 2023] Ann: I ran yesterday (7 May 2023)."
    assert client.contents(thread_id) == ["Ann: I ran yesterday."]


def test_a_pro_question_that_is_readonly_forms_nothing(client: StandinClient) -> None:
    assistant_id = told(client, {})
    client.ask(client.thread(assistant_id), ASKED, **READONLY_PRO)
    assert len(client.get(f"/assistants/{assistant_id}/memories")["memories"]) == len(TALK)
    client.ask(client.thread(assistant_id), ASKED, **PRO)
    assert len(client.get(f"/assistants/{assistant_id}/memories")["memories"]) == len(TALK) + 1
