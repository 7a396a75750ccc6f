"""How far a command is, while it measures or judges: bars on a terminal, or lines in the log."""

import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from locomo_assets.redaction import printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from locomo_assets.runs.context import Counts
    from locomo_assets.services import Services

LOG_EVERY_S = 10.0
BARS = ("turns", "questions", "verdicts")

_log = logging.getLogger(__name__)


@contextmanager
def showing_progress(
    services: "Services", bars: Sequence[str] = BARS, said: str = ""
) -> Iterator[None]:
    """Shows or logs the progress while the block lasts; `said` stands beside the bars.

    Nothing is drawn before the first count: what is refused until then is one line.
    """
    as_json = services.settings.log_format == "json"
    with _LogProgress() if as_json else _TerminalProgress(bars, said) as progress:
        services.progress.listeners.append(progress)
        try:
            yield
        finally:
            services.progress.listeners.remove(progress)


def note(counts: "Counts", said: str = "") -> str:
    """What stands beside the bars: what failed, what was sent again, the cost."""
    retries = f"retries {counts.retries}" if counts.retries else ""
    parts = (f"errors {counts.errors}", retries, f"cost {counts.cost_usd:.4f} USD", said)
    return "  ".join(part for part in parts if part)


class _LogProgress:
    """Logs the progress periodically, for runs without a terminal."""

    def __enter__(self) -> "_LogProgress":
        self._last = time.monotonic()
        return self

    def __call__(self, counts: "Counts") -> None:
        if time.monotonic() - self._last >= LOG_EVERY_S:
            self._last = time.monotonic()
            _log.info("progress", extra=asdict(counts))

    def __exit__(self, *_: object) -> None:
        pass


class _TerminalProgress:
    """Progress bars on the real stderr: Dagster redirects that of a step."""

    def __init__(self, bars: Sequence[str], said: str) -> None:
        self._names, self._said = bars, said

    def __enter__(self) -> "_TerminalProgress":
        self._bars: Progress | None = None
        self._waits_for = ""
        # Now, since the first count comes when Dagster has put a step's log in its place.
        self._file = _copy_of(sys.__stderr__) if sys.__stderr__ else None
        return self

    def __call__(self, counts: "Counts") -> None:
        bars = self._bars or self._open()
        if bool(counts.waits_for) != bool(self._waits_for):
            self._waits_for = counts.waits_for
            if counts.waits_for:
                bars.console.print(
                    f"waiting: {printable(counts.waits_for)}", soft_wrap=True, markup=False
                )
        for name, task in self._tasks.items():
            bars.update(
                task,
                completed=getattr(counts, name),
                total=getattr(counts, f"{name}_to_do") or None,
                note=note(counts, self._said) if name == self._names[-1] else "",
            )
        if any(getattr(counts, f"{name}_to_do") for name in self._names):
            bars.start()

    def _open(self) -> "Progress":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bars = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(file=self._file),
        )
        self._tasks = {name: self._bars.add_task(name, total=None, note="") for name in self._names}
        return self._bars

    def __exit__(self, *_: object) -> None:
        if self._bars is not None and self._bars.live.is_started:
            self._bars.stop()
        if self._file is not None:
            self._file.close()


def _copy_of(stream: TextIO) -> TextIO:
    """A stream to the same place, which shows in some way what that place can't print."""
    number = os.dup(stream.fileno())
    return os.fdopen(number, "w", encoding=stream.encoding, errors="replace")
