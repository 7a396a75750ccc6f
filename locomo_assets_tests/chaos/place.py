"""A home whose runs are killed, the faulty stand-in beside it, and what must hold afterwards.

Here: processes, the stand-in's own record of what was paid for, the invariants. When which run is
killed is `killing`.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.history import database
from locomo_assets.judging.canaries import packaged_canaries
from locomo_assets.locomo.model import Dataset
from locomo_assets.runs.checkpoint import SAVED_EVERY_S
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.chaos.serving import FAULTY, RECOVER, events_path, settings_argument
from locomo_assets_tests.runs.fixtures import Record, assert_told_once

REPOSITORY = Path(__file__).parents[2]
RELEASE = "r1"
CANARIES = len(packaged_canaries().canaries)
SECONDS_TO_SAVE = 1.0
"""How long saving itself may take, on a busy machine."""

Process = subprocess.Popen[str]


@dataclass(frozen=True, slots=True)
class Done:
    """What the server has done: turns told, questions answered, verdicts given (repeats too)."""

    turns: int
    answers: int
    verdicts: int


@dataclass(frozen=True, slots=True)
class Kill:
    """A process killed while `stage` went on, and what the server had done by then."""

    stage: str
    at: float
    done: Done


class Place:
    """A home, the environment of runs in it, and the record of the stand-in they measure."""

    def __init__(
        self,
        home: Path,
        port: int,
        dataset: Dataset,
        history: str | None,
        server: "subprocess.Popen[bytes]",
    ) -> None:
        root = f"http://127.0.0.1:{port}"
        self.home = home
        self._server = server
        self.dataset = dataset
        self.record = Record(home / "served.sqlite")
        self.database_path = (home if history else home / "history") / "history.duckdb"
        self.turns = sum(len(one.turns) for one in dataset.conversations)
        self.questions = sum(
            q.category != 5 for one in dataset.conversations for q in one.questions
        )
        self.settings = {
            "LOCOMO_HOME": str(home),
            "LOCOMO_DATASET": dataset.source,
            "LOCOMO_MEMORY_WAIT": "conversation",
            "BACKBOARD_BASE_URL": f"{root}/api",
            "BACKBOARD_API_KEY": DEFAULT_KEY,
            "OPENAI_BASE_URL": f"{root}/v1",
            "OPENAI_API_KEY": DEFAULT_KEY,
            **({"LOCOMO_HISTORY": history} if history else {}),
        }

    @contextmanager
    def running(
        self,
        *,
        home: Path | None = None,
        settings: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
        command: Sequence[str] = ("run", "--release", RELEASE),
    ) -> Iterator[Process]:
        """A run of the release, or another command; killed at the end if it is still there.

        `settings` differ from the place's own; `within` is a command that runs another one.
        """
        moved = {**(settings or {}), **({"LOCOMO_HOME": str(home)} if home else {})}
        with subprocess.Popen(
            [
                *within,
                *(sys.executable, "-c", "from locomo_assets.cli import main; main()"),
                *command,
            ],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **self.settings, **moved},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def finish(self, *, timeout_s: float = 120.0) -> None:
        """A run that nobody disturbs."""
        with self.running() as process:
            _, errors = process.communicate(timeout=timeout_s)
        assert process.returncode == 0, errors

    def end_faults(self) -> None:
        """The service has recovered; what is late still takes effect."""
        self._server.send_signal(RECOVER)

    def done(self) -> Done:
        """What the server has done until now."""
        answers = self.record.count("assistant")
        return Done(self.record.count() - answers, answers, len(self.events("verdict")))

    def events(self, kind: str) -> list[tuple[float, object]]:
        """When and what, of a kind of the stand-in's journal."""
        path = events_path(self.home / "served.sqlite")
        lines = path.read_text().splitlines() if path.exists() else []
        read = [json.loads(line) for line in lines]
        return [(one["at"], one["what"]) for one in read if one["kind"] == kind]

    def query(self, sql: str) -> int:
        """One number from the database."""
        [(number,)] = database.query(self.database_path, sql)[1]
        return int(str(number))

    def assert_whole(self) -> None:
        """Each turn once and in order at the server, each question once here, with a verdict."""
        for conversation in self.dataset.conversations:
            assert_told_once(self.record, conversation)
        assert self.query("SELECT count(*) FROM ingested_turns") == self.turns
        turns_told = self.query("SELECT count(DISTINCT (conversation, dia_id)) FROM ingested_turns")
        assert turns_told == self.turns
        assert self.query("SELECT count(*) FROM current_judgements") == self.questions
        scored = self.query(
            "SELECT count(DISTINCT (conversation, question_index)) FROM current_judgements "
            "WHERE verdict IN ('correct', 'wrong')"
        )
        assert scored == self.questions
        assert self.query("SELECT count(DISTINCT canary_id) FROM canary_verdicts") == CANARIES

    def counts(self, kills: Sequence[Kill]) -> dict[str, int]:
        """Name → number of what was asked of the server, needed, and repeated."""
        faults = Counter(str(what) for _, what in self.events("fault"))
        asked = self.record.count() - self.turns
        given = [(at, json.dumps(what)) for at, what in self.events("verdict")]
        return {
            **{f"killed while {stage}": n for stage, n in Counter(k.stage for k in kills).items()},
            "turns": self.turns,
            "turns at the server": self.record.count() - asked,
            "questions": self.questions,
            "questions asked at the server": asked,
            "answers in the history": self.query("SELECT count(*) FROM answers"),
            "answers superseded": self.query("SELECT count(*) FROM answers") - self.questions,
            "verdicts given at the server": len(given),
            "verdicts in the history": self.query("SELECT count(*) FROM judgements"),
            "canaries judged": CANARIES,
            "memory operations failed or timed out": self.query(
                "SELECT count(*) FROM memory_operations WHERE status <> 'completed'"
            ),
            **{f"fault: {kind}": n for kind, n in sorted(faults.items())},
        }

    def assert_little_was_paid_twice(self, kills: Sequence[Kill]) -> None:
        """Beyond what the service itself lost, a kill costs at most what was not yet saved."""
        counts = self.counts(kills)
        allowed = self.may_be_repeated(kills)
        for asked, most in allowed.items():
            needed = counts["questions"]
            if asked.startswith("verdicts"):
                needed += counts["canaries judged"]
            assert counts[asked] - needed <= most, (asked, counts, allowed)

    def may_be_repeated(self, kills: Sequence[Kill]) -> dict[str, int]:
        """By the names of `counts`: answers and verdicts that were lost, or not saved at a kill.

        Not saved is what was done since the last save, a save's own time included, and the
        requests that were under way. Not lost are other requests, whose repeating costs nothing.
        """
        lost = Counter(str(what) for _, what in self.events("lost"))
        lost["answer"] += sum(what == "cut_stream" for _, what in self.events("fault"))
        verdicts = [at for at, _ in self.events("verdict")]
        return {
            name: lost[kind] + sum(self._unsaved(kill, times) for kill in kills)
            for name, kind, times in (
                ("questions asked at the server", "answer", self.record.times("assistant")),
                ("verdicts given at the server", "verdict", verdicts),
            )
        }

    def _unsaved(self, kill: Kill, times: Sequence[float]) -> int:
        begun = kill.at - SAVED_EVERY_S - SECONDS_TO_SAVE
        return sum(begun <= at <= kill.at + SECONDS_TO_SAVE for at in times)


def error_line(errors: str) -> str:
    """The one line of a command's error; libraries may print after it when the process ends."""
    (line,) = [one for one in errors.splitlines() if one.startswith("error: ")]
    return line


@contextmanager
def served(
    home: Path,
    dataset: Dataset,
    history: str | None = None,
    *,
    settings: StandinSettings = FAULTY,
) -> Iterator[Place]:
    """A place whose stand-in serves until the end; `history` is its URL where it is not at home."""
    port_file = home / "port"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "locomo_assets_tests.chaos.serving"),
            *(str(home / "served.sqlite"), str(port_file), settings_argument(settings)),
        ],
        cwd=REPOSITORY,
    ) as server:
        try:
            until(port_file.exists, server)
            yield Place(home, int(port_file.read_text()), dataset, history, server)
        finally:
            server.kill()


def _errors(process: "Process | subprocess.Popen[bytes]") -> str:
    return str(process.stderr.read())[-2000:] if process.stderr else ""


def until(
    true: Callable[[], bool],
    process: "Process | subprocess.Popen[bytes]",
    *,
    timeout_s: float = 120.0,
) -> None:
    """Waits for something while a process lives."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert process.poll() is None, f"ended before it came so far: {_errors(process)}"
        assert time.monotonic() < deadline, "the process did not come so far in time"
        time.sleep(0.01)
