"""The stand-in as a process of its own, with injected latencies.

Here: starting it, and what its process used. The latencies are those that both ways of working
meet; run as a module, it serves.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from locomo_assets.standin.server import LOOPBACK, serve
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings

LATENCIES = StandinSettings(
    message_latency_ms=40.0,
    first_chunk_latency_ms=150.0,
    chunk_latency_ms=10.0,
    verdict_latency_ms=60.0,
    memory_delay_ms=140.0,
)
"""40 ms a turn and 100 ms more until its memory is there (the delay counts from the message, not
from its answer), 150 ms to a streamed answer's first chunk and 10 ms between chunks, 60 ms a
verdict.
"""


@dataclass
class Used:
    """What a process used until it ended: seconds of both kinds of CPU time, and peak MiB."""

    cpu_s: float = 0.0
    peak_mib: float = 0.0


@dataclass(frozen=True)
class Served:
    """A stand-in's address; `used` is filled once it has stopped."""

    root: str
    used: Used = field(default_factory=Used)

    def environment(self) -> dict[str, str]:
        """The variables that point a client at it."""
        return {
            "BACKBOARD_BASE_URL": f"{self.root}/api",
            "BACKBOARD_API_KEY": DEFAULT_KEY,
            "OPENAI_BASE_URL": f"{self.root}/v1",
            "OPENAI_API_KEY": DEFAULT_KEY,
        }


@contextmanager
def served(settings: StandinSettings = LATENCIES) -> Iterator[Served]:
    """A stand-in with a fresh state, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.serving", json.dumps(asdict(settings)), folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        place = Served(f"http://{LOOPBACK}:{process.stdout.readline().strip()}")
        try:
            yield place
        finally:
            process.send_signal(signal.SIGTERM)
            wait_used(process, place.used)
            process.stdout.close()


def wait_used(process: "subprocess.Popen[str]", used: Used) -> int:
    """Waits for the process's end; its exit code. Fills `used`, its own children left out."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    used.cpu_s = usage.ru_utime + usage.ru_stime
    used.peak_mib = usage.ru_maxrss / 1024
    return process.returncode


def settings_from(text: str) -> StandinSettings:
    """Of the JSON of their fields, which has no tuples."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(text).items()
    }
    return StandinSettings(**given)


def _serve(settings: str, folder: str) -> None:
    serve(
        LOOPBACK,
        0,
        settings_from(settings),
        Path(folder) / "standin.sqlite",
        on_ready=lambda port: print(port, flush=True),
    )


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2])
