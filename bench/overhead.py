"""What a run costs beside the services: time, processor and memory.

Here: starting, Dagster's share, and whether memory grows with what is stored. The stand-in is a
process of its own, so that its work is not counted as ours.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure
from bench.ours import calls_of, run
from bench.serving import LATENCIES, served
from bench.work import cut

GOAL_LOAD_S = 2.0
_MESSAGES = "asset = 'ingested_memories' AND endpoint = 'POST /threads/{id}/messages'"

_LOAD = """
import time
start = time.perf_counter()
import dagster
between = time.perf_counter()
import locomo_assets.definitions
print(between - start, time.perf_counter() - between)
"""


def loading() -> list[Figure]:
    """Seconds to load the definitions beyond `import dagster`, the least of five, warm."""
    pairs = []
    for _ in range(6):
        said = subprocess.run(
            [sys.executable, "-c", _LOAD], check=True, capture_output=True, text=True
        ).stdout
        pairs.append(tuple(map(float, said.split())))
    dagster_s, ours_s = (min(one[column] for one in pairs[1:]) for column in (0, 1))
    return [
        Figure("start/import dagster", dagster_s, "s"),
        Figure("start/definitions beyond it", ours_s, "s", f"goal < {GOAL_LOAD_S:g} s"),
    ]


def sample_run() -> list[Figure]:
    """`make run` on a home that exists already: the second of two."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run(home, ["--release", "r1"])
        second = run(home, ["--release", "r2"])
    return [Figure("start/make run, warm", second.wall_s, "s", "the packaged sample")]


def one_conversation(source: Path, *, share: float) -> list[Figure]:
    """A run of the first conversation, and where its seconds are."""
    with tempfile.TemporaryDirectory() as folder, served() as server:
        work = cut(source, Path(folder) / "work.json", share=share)
        ours = run(
            Path(folder) / "home",
            ["--dataset", str(work.path), "--release", "r1", "--conversations", "conv-26"],
            server=server,
        )
        calls, turns = calls_of(ours.database_path), calls_of(ours.database_path, _MESSAGES).count
    outside_s = ours.wall_s - calls.waiting_s
    before_s = calls.first_at - ours.started_at
    measuring_s = calls.last_at - calls.first_at
    forming_s = turns * (LATENCIES.memory_delay_ms - LATENCIES.message_latency_ms) / 1000
    return [
        Figure("one conversation/wall", ours.wall_s, "s", f"{calls.count:,} requests"),
        Figure("one conversation/start to first request", before_s, "s"),
        Figure(
            "one conversation/waiting for memories",
            measuring_s - calls.waiting_s,
            "s",
            f"no request under way until the last one; after their messages {turns} memories take "
            f"{forming_s:.1f} s, the looks at them included: no client can be faster",
        ),
        Figure(
            "one conversation/after the last request", ours.wall_s - before_s - measuring_s, "s"
        ),
        Figure(
            "one conversation/outside requests",
            outside_s,
            "s",
            "no request under way: the three above",
        ),
        Figure("one conversation/outside ÷ wall", outside_s / ours.wall_s, ""),
    ]


def growth(source: Path, *, share: float, copies: int) -> list[Figure]:
    """Peak memory and CPU for all conversations, and for so many times as many.

    With the same number of conversations under way the difference is what was saved already.
    """
    figures, peaks = [], []
    for times in (1, copies):
        with tempfile.TemporaryDirectory() as folder, served() as server:
            work = cut(source, Path(folder) / "work.json", share=share, copies=times)
            ours = run(
                Path(folder) / "home",
                ["--dataset", str(work.path), "--release", "r1"],
                server=server,
                LOCOMO_MAX_REQUESTS_IN_FLIGHT="32",
                LOCOMO_MAX_VERDICTS_IN_FLIGHT="32",
            )
            calls = calls_of(ours.database_path)
        peaks.append(ours.used.peak_mib)
        name = f"{work.conversations} conversations"
        size = f"{work.turns:,} turns, {work.questions:,} questions, {calls.count:,} requests"
        figures += [
            Figure(f"{name}/peak memory", ours.used.peak_mib, "MiB", size),
            Figure(f"{name}/CPU per 1,000 requests", 1000 * ours.used.cpu_s / calls.count, "s"),
        ]
    ratio = peaks[1] / peaks[0]
    return [*figures, Figure("memory/ratio", ratio, "×", f"for {copies} × the work")]
