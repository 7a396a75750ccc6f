"""What a report takes time for and needs no result for, done while a run waits for the service."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from locomo_assets.history import database
from locomo_assets.runs.context import Counts, Progress

MODULES = (
    "scipy.special",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "jinja2",
    "pyarrow.compute",
    "locomo_assets.reporting.charts",
    "locomo_assets.reporting.html",
)
"""A second to import; more than that of a report's modules is loaded by each command."""


@contextmanager
def preloading(progress: Progress, database_path: Path) -> Iterator[None]:
    """Within it the first turn or answer starts a thread for the imports and a first database."""
    preload = _Preload(database_path)
    progress.listeners.append(preload)
    try:
        yield
    finally:
        progress.listeners.remove(preload)


class _Preload:
    def __init__(self, database_path: Path) -> None:
        self._database_path = database_path
        self._begun = False

    def __call__(self, counts: Counts) -> None:
        # Not before: until then the run itself uses the processor. The first requests only ask
        # whether the services are there.
        if (counts.turns or counts.questions or counts.verdicts) and not self._begun:
            self._begun = True
            threading.Thread(target=self._load, name="preload", daemon=True).start()

    def _load(self) -> None:
        for name in MODULES:
            with suppress(Exception):  # the report says it, if it needs it
                import_module(name)
        with suppress(Exception):
            database.prepare(self._database_path)
        # As before measuring (`run_interruptibly`): modules stay, and to look through them for
        # garbage holds up every request.
        gc.freeze()
