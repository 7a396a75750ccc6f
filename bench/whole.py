"""The whole benchmark, side by side: the reference way of working, and this project's.

Here: both on a stand-in process of their own with the same latencies, on the same conversations;
and how busy a server is kept that takes only so many requests at once.
"""

import tempfile
import time
from pathlib import Path

from bench.figures import Figure
from bench.ours import calls_of, run, turns_of
from bench.reference import SequentialClient
from bench.serving import LATENCIES, served
from bench.work import Work, cut
from locomo_assets.standin.settings import StandinSettings

GOAL_RATIO, GOAL_PATH, GOAL_BUSY = 8.0, 1.15, 0.9

_CHUNKS = 8
# The path is what a service without limits would take; twice as many at once were no quicker.
_WIDE = {"LOCOMO_MAX_REQUESTS_IN_FLIGHT": "64", "LOCOMO_MAX_VERDICTS_IN_FLIGHT": "64"}


def critical_path_s(work: Work, latencies: StandinSettings) -> float:
    """The longest conversation's turns in order, then one question and one verdict."""
    turn_ms = _turn_ms(latencies)
    question_ms = latencies.first_chunk_latency_ms + (_CHUNKS - 1) * latencies.chunk_latency_ms
    return (work.longest * turn_ms + question_ms + latencies.verdict_latency_ms) / 1000


def _turn_ms(latencies: StandinSettings) -> float:
    """A message or the forming of its memory, which begins with the message and which the next one
    waits for, whichever takes longer.
    """
    return max(latencies.message_latency_ms, latencies.memory_delay_ms)


def side_by_side(
    source: Path, *, share: float, copies: int = 1, latencies: StandinSettings = LATENCIES
) -> list[Figure]:
    """Wall seconds of the reference, then `along_the_path`, and the ratios of the two."""
    with tempfile.TemporaryDirectory() as folder:
        work = cut(source, Path(folder) / "work.json", share=share, copies=copies)
        with served(latencies) as server:
            client = SequentialClient(server.root)
            start = time.perf_counter()
            client.measure(work.path)
            reference_s = time.perf_counter() - start
            client.close()
    if (client.turns, client.verdicts) != (work.turns, work.questions):
        raise AssertionError(f"the reference did {client.turns} turns of {work.turns}")
    ours = along_the_path(source, share=share, copies=copies, latencies=latencies)
    value = {one.name: one.value for one in ours}
    return [
        Figure("whole/reference", reference_s, "s", _size(work)),
        Figure("whole/ratio", reference_s / value["whole/ours"], "×", f"goal ≥ {GOAL_RATIO:g}"),
        Figure(
            "whole/ratio without start and report",
            reference_s / value["whole/measuring"],
            "×",
        ),
        *ours,
    ]


def along_the_path(
    source: Path, *, share: float, copies: int = 1, latencies: StandinSettings = LATENCIES
) -> list[Figure]:
    """Ours alone, and the critical path's share of it."""
    with tempfile.TemporaryDirectory() as folder, served(latencies) as server:
        work = cut(source, Path(folder) / "work.json", share=share, copies=copies)
        ours = run(
            Path(folder) / "home",
            ["--dataset", str(work.path), "--release", "r1"],
            server=server,
            **_WIDE,
        )
        calls, turns = calls_of(ours.database_path), turns_of(ours.database_path)
    path_s = critical_path_s(work, latencies)
    measuring_s = calls.last_at - calls.first_at
    before_s = calls.first_at - ours.started_at
    return [
        Figure("whole/ours", ours.wall_s, "s", f"{_size(work)}, {calls.count:,} requests"),
        Figure("whole/measuring", measuring_s, "s", "first request to last"),
        Figure("whole/critical path", path_s, "s", f"{work.longest} turns, a question, a verdict"),
        Figure("whole/measuring ÷ path", measuring_s / path_s, "", f"goal ≤ {GOAL_PATH:g}"),
        Figure(
            "whole/ours ÷ path", ours.wall_s / path_s, "", "start, database and report included"
        ),
        Figure("whole/before measuring", before_s, "s", "imports, Dagster's start, the data set"),
        Figure(
            "whole/after measuring",
            ours.wall_s - before_s - measuring_s,
            "s",
            "the last commit, Dagster's events, database, metrics, trends, the table",
        ),
        Figure(
            "whole/turn to turn",
            turns.median_ms,
            "ms",
            f"median; mean {turns.mean_ms:.1f}; the stand-in takes {_turn_ms(latencies):g}",
        ),
        Figure("whole/looks a turn", turns.looks, "", "at its memory operation"),
        Figure("whole/CPU of ours", ours.used.cpu_s, "s", "all of the process"),
        Figure(
            "whole/CPU of the stand-in",
            server.used.cpu_s,
            "s",
            "the other side of the same 2 cores",
        ),
    ]


def _size(work: Work) -> str:
    return f"{work.conversations} conversations, {work.turns:,} turns, {work.questions:,} questions"


def kept_busy(source: Path, *, share: float, in_flight: int) -> list[Figure]:
    """How much of a server's `in_flight` places questions keep busy, known or found out.

    A question is two requests, for its thread and for its answer; a place is kept busy by those
    that were taken. Counted from the first one's start to the last one's end.
    """
    limited = StandinSettings(
        message_latency_ms=0.0,
        first_chunk_latency_ms=150.0,
        chunk_latency_ms=10.0,
        max_in_flight=in_flight,
        retry_after_s=0,
    )
    figures = []
    for name, allowed in (("known", in_flight), ("found out", 4 * in_flight)):
        with tempfile.TemporaryDirectory() as folder, served(limited) as server:
            work = cut(source, Path(folder) / "work.json", share=share)
            ours = run(
                Path(folder) / "home",
                ["--dataset", str(work.path), "--release", "r1"],
                server=server,
                LOCOMO_QUESTION_PROTOCOL="no-memory",
                LOCOMO_MAX_REQUESTS_IN_FLIGHT=str(allowed),
            )
            calls = calls_of(
                ours.database_path, "service = 'backboard' AND endpoint NOT LIKE '%assistants'"
            )
            busy = calls.busy_s / (in_flight * (calls.last_at - calls.first_at))
            figures.append(
                Figure(
                    f"limit {name}/busy",
                    busy,
                    "",
                    f"of {in_flight} in flight, {calls.count:,} requests, {calls.refused} refused; "
                    f"goal ≥ {GOAL_BUSY:g}",
                )
            )
    return figures
