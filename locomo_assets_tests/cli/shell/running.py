"""The whole command line in this process: a process of its own takes seconds to start."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from locomo_assets.cli import main
from locomo_assets.cli.shell import typed


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line that it said."""
        assert self.err.count("\n") == 1, self.err
        return self.err.rstrip("\n")


class Commands:
    """Runs `main` with words on the command line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str, called: str = "locomo-assets") -> Ended:
        self._monkeypatch.setattr(sys, "argv", [called, *words])
        self._monkeypatch.setattr(typed, "_named", {})
        self._capsys.readouterr()
        with _same_handlers(), pytest.raises(SystemExit) as end:
            main()
        said = self._capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Ended(end.value.code, said.out, said.err)


@contextmanager
def _same_handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
