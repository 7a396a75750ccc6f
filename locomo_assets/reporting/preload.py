"""What a report imports, loaded while a run waits for the service: it has the time for it then."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

from locomo_assets.runs.context import Counts, Progress

MODULES = (
    "scipy.special",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "jinja2",
)
"""A second to import; more than that of a report's modules is loaded by each command."""


@contextmanager
def preloading(progress: Progress) -> Iterator[None]:
    """Within it the first request of a run starts a thread that imports them."""
    preload = _Preload()
    progress.listeners.append(preload)
    try:
        yield
    finally:
        progress.listeners.remove(preload)


class _Preload:
    def __init__(self) -> None:
        self._begun = False

    def __call__(self, counts: Counts) -> None:
        # Not before: until then the run itself uses the processor.
        if counts.requests and not self._begun:
            self._begun = True
            threading.Thread(target=_load, name="preload", daemon=True).start()


def _load() -> None:
    for name in MODULES:
        with suppress(Exception):  # the report says it, if it needs it
            import_module(name)
