"""The state: kept, cascading, shared, and honest about files it can't use."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from filelock import FileLock

from locomo_assets.standin.database import StandinStateError
from locomo_assets.standin.records import Memory, MemoryFate, MemoryStats, NewMemory, Thread
from locomo_assets.standin.state import StandinState

MAY = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StandinState]:
    with StandinState(tmp_path / "deep" / "state.sqlite") as opened:
        yield opened


def thread_of(state: StandinState) -> Thread:
    made = state.create_thread(state.create_assistant("a", {}).assistant_id)
    assert made is not None
    return made


def say(
    state: StandinState,
    thread: Thread,
    content: str,
    *,
    delay_s: float = 0.0,
    fate: MemoryFate = "formed",
) -> str:
    message = state.save_message(
        thread,
        role="user",
        content=content,
        status="COMPLETED",
        metadata={"n": 1},
        memory=NewMemory(MAY, delay_s, fate),
    )
    assert message is not None
    assert message.memory_operation_id is not None
    return message.memory_operation_id


def test_what_is_saved_is_read_by_another_process_s_connection(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StandinState(path) as one, StandinState(path) as other:
        thread = thread_of(one)
        say(one, thread, "Ada: hello")
        say(other, thread, "Bob: hi")
        assert [m.content for m in one.messages(thread.thread_id)] == ["Ada: hello", "Bob: hi"]
        assert one.messages(thread.thread_id) == other.messages(thread.thread_id)
    with StandinState(path) as later:
        assert len(later.messages(thread.thread_id)) == 2


def test_a_memory_is_there_only_once_its_time_has_come(state: StandinState) -> None:
    thread = thread_of(state)
    operation_id = say(state, thread, "Ada: I sing", delay_s=0.15)
    early = state.operation(operation_id)
    assert early is not None
    assert (early.status, early.results) == ("IN_PROGRESS", ())
    assert state.memories(thread.assistant_id, now=time.time()) == []
    time.sleep(0.2)
    late = state.operation(operation_id)
    assert late is not None
    assert late.status == "COMPLETED"
    (memory,) = state.memories(thread.assistant_id, now=time.time())
    assert [one.memory_id for one in late.results] == [memory.memory_id]
    assert memory.content == "[8 May 2023] Ada: I sing"
    assert memory.metadata["thread_id"] == thread.thread_id


@pytest.mark.parametrize(("fate", "status"), [("failed", "ERROR"), ("stuck", "IN_PROGRESS")])
def test_a_memory_that_is_not_formed_leaves_none(
    state: StandinState, fate: MemoryFate, status: str
) -> None:
    thread = thread_of(state)
    operation = state.operation(say(state, thread, "Ada: I sing", fate=fate))
    assert operation is not None
    assert (operation.status, operation.results) == (status, ())
    assert state.memories(thread.assistant_id, now=time.time() + 1e6) == []
    assert len(state.messages(thread.thread_id)) == 1


def test_deleting_an_assistant_takes_everything_of_it_and_nothing_else(
    state: StandinState,
) -> None:
    gone, kept = thread_of(state), thread_of(state)
    operation_id = say(state, gone, "Ada: x")
    say(state, kept, "Ada: y")
    assert state.delete_assistant(gone.assistant_id)
    assert not state.delete_assistant(gone.assistant_id)
    assert state.thread(gone.thread_id) is None
    assert state.messages(gone.thread_id) == []
    assert state.memory_stats(gone.assistant_id, now=time.time()) == MemoryStats(0, None, 0)
    assert state.operation(operation_id) is None
    assert len(state.messages(kept.thread_id)) == 1
    assert state.memory_stats(kept.assistant_id, now=time.time()).total == 1


def test_saving_to_what_is_gone_saves_nothing(state: StandinState) -> None:
    thread = thread_of(state)
    assert state.delete_thread(thread.thread_id)
    memory = NewMemory(MAY, 0.0, "formed")
    assert (
        state.save_message(
            thread, role="user", content="x", status="COMPLETED", metadata={}, memory=memory
        )
        is None
    )
    assert state.memories(thread.assistant_id, now=time.time()) == []
    assert state.create_thread("nobody") is None


def test_threads_of_one_process_share_it(state: StandinState) -> None:
    thread = thread_of(state)

    def client(name: str) -> None:
        for number in range(50):
            say(state, thread, f"{name}{number}")

    talkers = [threading.Thread(target=client, args=(name,)) for name in "ABCD"]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()
    contents = [message.content for message in state.messages(thread.thread_id)]
    assert sorted(contents) == sorted(f"{name}{n}" for name in "ABCD" for n in range(50))
    assert [c for c in contents if c[0] == "A"] == [f"A{n}" for n in range(50)]


def test_opening_waits_for_whoever_is_opening(tmp_path: Path) -> None:
    """SQLite fails at once where two change a new file's journal mode together."""
    path = tmp_path / "state.sqlite"
    opened = threading.Event()

    def open_it() -> None:
        with StandinState(path):
            opened.set()

    opener = threading.Thread(target=open_it)
    with FileLock(f"{path}.lock"):
        opener.start()
        assert not opened.wait(0.2)
    assert opened.wait(10)
    opener.join()


def test_it_is_a_wal_file_with_the_promised_schema(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StandinState(path):
        pass
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        columns = [row[1] for row in database.execute("PRAGMA table_info(messages)")]
    finally:
        database.close()
    assert columns == [
        "seq",
        "message_id",
        "thread_id",
        "role",
        "content",
        "status",
        "metadata_json",
        "memory_operation_id",
        "created_at",
    ]


def test_a_state_of_an_earlier_version_keeps_its_memories(tmp_path: Path) -> None:
    """Versions 1 and 2 had neither written memories nor counted changes."""
    sql = files("locomo_assets.standin")
    for names in (["schema.sql"], ["schema.sql", "batches.sql"]):
        path = tmp_path / f"{len(names)}.sqlite"
        database = sqlite3.connect(path)
        for name in names:
            database.executescript(sql.joinpath(name).read_text(encoding="utf-8"))
        database.execute(f"PRAGMA user_version = {len(names)}")
        database.execute("INSERT INTO assistants VALUES (1, 'a', 'Ann', '{}', 5.0)")
        said = (MAY.timestamp(), "t", "m", 6.0)
        database.execute("INSERT INTO memories VALUES (1, 'x', 'a', 'Ada: x', ?, ?, ?, ?)", said)
        database.commit()
        database.close()
        with StandinState(path) as state:
            (memory,) = state.memories("a", now=7.0)
            assert memory == Memory("x", "Ada: x", MAY, "t", "m", 6.0)
            assert state.memory_stats("a", now=7.0) == MemoryStats(1, 6.0, 0)
            assert state.delete_memory("a", "x")
            assert state.memory_stats("a", now=7.0) == MemoryStats(0, None, 1)


def test_files_it_cannot_use_are_named(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("no database, " * 100)
    newer = tmp_path / "newer.sqlite"
    database = sqlite3.connect(newer)
    database.execute("PRAGMA user_version = 99")
    database.close()
    below_a_file = text / "state.sqlite"
    for path in (text, newer, below_a_file):
        with pytest.raises(StandinStateError) as raised:
            StandinState(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_state_that_breaks_while_it_is_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StandinState(path) as state:
        thread = thread_of(state)
        database = sqlite3.connect(path)
        database.execute("DROP TABLE messages")
        database.close()
        for use in (lambda: state.messages(thread.thread_id), lambda: say(state, thread, "x")):
            with pytest.raises(StandinStateError, match="no such table") as raised:
                use()
            assert str(path) in str(raised.value)
        # What still works goes on: no transaction was left open.
        assert state.thread(thread.thread_id) == thread


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StandinState(path) as state:
        thread = thread_of(state)

        def fill() -> None:
            for _ in range(200):
                say(state, thread, "Ada: x" * 500)

        with limited(state), pytest.raises(StandinStateError, match="full"):
            fill()
        messages = state.messages(thread.thread_id)
        memories = state.memories(thread.assistant_id, now=time.time())
        assert [m.message_id for m in messages] == [m.message_id for m in memories]
        say(state, thread, "Ada: there is room again")
        assert len(state.messages(thread.thread_id)) == len(messages) + 1


@contextmanager
def limited(state: StandinState) -> Iterator[None]:
    """SQLite's own stand-in for a full disk: no more pages than a few beyond today's."""
    database = state._db
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages + 10}")
    try:
        yield
    finally:
        database.execute("PRAGMA max_page_count = 1000000")
