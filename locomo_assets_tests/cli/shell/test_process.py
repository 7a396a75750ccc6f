"""The process of a command ends at once, and leaves nothing undone that Python does at its end."""

import subprocess
import sys

import pytest

_CALLED = """
import atexit, logging, logging.handlers, os, sys, threading, time
from locomo_assets import cli
from locomo_assets.cli import __main__ as process

class Module:
    def __del__(self):
        print("taken apart")

kept = Module()

def command():
    atexit.register(print, "handler")
    thread = threading.Thread(target=lambda: (time.sleep(0.2), print("thread")))
    thread.start()
    written = logging.StreamHandler(sys.stdout)
    logs = logging.handlers.MemoryHandler(10, target=written)
    logging.getLogger("it").addHandler(logs)
    logging.getLogger("it").warning("log")
    {ends}

cli.main = command
process.main()
"""


def _ended(ends: str) -> "subprocess.CompletedProcess[str]":
    program = _CALLED.format(ends=ends)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("code", [0, 3])
def test_threads_handlers_logs_and_output_are_done(code: int) -> None:
    done = _ended(f"sys.exit({code})")
    assert (done.returncode, done.stdout, done.stderr) == (code, "thread\nhandler\nlog\n", "")


def test_an_error_ends_as_python_ends_it() -> None:
    done = _ended("raise ValueError('seen')")
    assert done.returncode == 1
    assert "ValueError: seen" in done.stderr
    assert "taken apart" in done.stdout


def test_output_that_can_not_be_written_has_pythons_own_exit_code() -> None:
    # What is left in the buffer when logs and handlers are through.
    done = _ended("sys.stdout = open(1, 'w', closefd=False); os.close(1); sys.exit(0)")
    assert done.returncode == 120
