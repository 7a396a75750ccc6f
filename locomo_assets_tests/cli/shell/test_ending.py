"""How commands end: one line, an exit code, and no noise where nobody reads."""

import errno
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest
import typer

from locomo_assets.cli import application
from locomo_assets.cli.shell import ending
from locomo_assets.errors import EXIT_CODES
from locomo_assets_tests.cli.shell.running import Commands

PROGRAM = str(Path(sys.executable).with_name("locomo-assets"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("report --relase r1", "report: no such option: --relase; did you mean --release?; "),
        ("compare r1", "compare: missing argument 'b'; "),
        (
            "run --repeats 0",
            "run: invalid value for '--repeats': input should be greater than or equal to 1; ",
        ),
        ("report r1", "report: got unexpected extra argument"),
        ("history nothing", "history: no such command 'nothing'; "),
        ("nothing", "no such command 'nothing'; "),
        ("compare r1 r2 --format xml", "compare: invalid value for '--format': 'xml'"),
    ],
)
def test_a_wrong_word_is_one_line(run: Commands, words: str, line: str) -> None:
    done = run(*words.split())
    assert (done.code, done.out) == (2, "")
    assert done.line.lower().startswith(f"error: {line}")
    assert re.search(r"see `locomo-assets [a-z ]*--help`$", done.line)


def test_help_is_short_too_and_ends_with_the_exit_codes(run: Commands) -> None:
    done = run("-h")
    assert (done.code, done.err) == (0, "")
    shown = " ".join(done.out.split())
    assert all(f"{code} {meaning}" in shown for code, meaning in EXIT_CODES.items())
    assert "--install-completion" in shown
    assert "Usage: locomo-assets releases pin" in run("releases", "pin", "-h").out


def test_version(run: Commands) -> None:
    done = run("--version")
    assert re.fullmatch(
        r"locomo-assets 0\.1\.0 \(Python 3\.\d+\.\d+, /.*/locomo_assets\)\n", done.out
    )
    assert done.code == 0


def test_a_pipe_that_nobody_reads_is_no_error(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(_: bytes | str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(ending, "_forget_output", lambda: None)
    monkeypatch.setattr(sys.stdout, "write", unread)
    for command in ("settings", "plan", "--help", "ladder --list"):
        assert run(*command.split())[::2] == (141, "")


def test_head_ends_a_command_quietly(home: Path) -> None:
    given = {**os.environ, "LOCOMO_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [PROGRAM, "settings"], env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_no_room_for_the_output_is_an_error(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "settings"],
            env={**os.environ, "LOCOMO_HOME": str(home)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left" in done.stderr


def test_ctrl_c_in_a_query_of_the_main_thread_is_a_stop(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
        duckdb.execute("SELECT sum(range * range) FROM range(10000000000)").fetchall()

    monkeypatch.setattr("locomo_assets.settings.read_settings", interrupted)
    done = run("report")
    assert (done.code, done.line) == (130, "stopped")


def stopping(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("report", "stopped"),
        ("run --dry-run", "stopped"),
        (
            "run --release r1 --conversations a,b",
            "stopped: what was done is saved, and the same command goes on: "
            "locomo-assets run --release r1 --conversations a,b",
        ),
        ("judge --release r1", "stopped: what was done is saved, and the same command goes on: "
         "locomo-assets judge --release r1"),
        ("import export here", "stopped: nothing is left half done; the same command does it: "
         "locomo-assets import export here"),
    ],
)  # fmt: skip
def test_ctrl_c_says_whether_the_command_goes_on(
    run: Commands, monkeypatch: pytest.MonkeyPatch, words: str, line: str
) -> None:
    monkeypatch.setattr("locomo_assets.settings.read_settings", stopping)
    done = run(*words.split())
    assert (done.code, done.line) == (130, line)


def test_a_release_that_the_run_named_itself_is_named_again(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locomo_assets.pipeline.launch.launch", stopping)
    done = run("run", "--questions", "3")
    assert done.code == 130
    assert re.search(r": locomo-assets run --questions 3 --release adhoc-[\da-zT-]+$", done.line)


@pytest.mark.parametrize(
    ("answer", "ends"), [("n", (1, "aborted: nothing was done")), (None, (130, "stopped"))]
)
def test_no_is_no_fault_of_the_program(
    run: Commands,
    monkeypatch: pytest.MonkeyPatch,
    answer: str | None,
    ends: tuple[int, str],
) -> None:
    def reply(_prompt: str) -> str:
        if answer is None:
            raise KeyboardInterrupt
        return answer

    def ask() -> None:
        typer.confirm("Really?", abort=True)

    app = application()
    app.command("really")(ask)
    monkeypatch.setattr("locomo_assets.cli.application", lambda: app)
    monkeypatch.setattr("typer._click.termui.visible_prompt_func", reply)
    done = run("really")
    assert (done.code, done.err.strip()) == ends


def test_two_signals_while_it_measures(home: Path) -> None:
    given = {"PATH": os.environ["PATH"], "LOCOMO_HOME": str(home)}
    # Started without a shell's job control, a child would ignore SIGINT: `env` restores it. As by a
    # terminal, the signal goes to all processes of the command.
    process = subprocess.Popen(
        ["env", "--default-signal=INT", PROGRAM, "run"],
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    give_up = time.monotonic() + 60
    while not any(home.glob("standin/*")) and time.monotonic() < give_up:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    # The second one may come while the process ends, and then ends it.
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in said
    again = r"^stopped: .*locomo-assets run --release adhoc-[\da-zT-]+$"
    assert re.search(again, said, re.MULTILINE)


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])(?:;\d+)*m")


class Terminal(io.StringIO):
    """What a terminal is given."""

    def isatty(self) -> bool:
        return True


def shown(run: Commands, monkeypatch: pytest.MonkeyPatch, words: str, **environment: str) -> str:
    """What a command writes to a terminal."""
    for name, value in {"TERM": "xterm-256color", "COLORTERM": "", **environment}.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    run(*words.split())
    return terminal.getvalue()


@pytest.mark.parametrize("setting", ["NO_COLOR=1", "TERM=dumb"])
@pytest.mark.parametrize("words", ["report --help", "report --nothing", "plan", "ladder --list"])
def test_no_colour_where_none_is_wanted(
    run: Commands, monkeypatch: pytest.MonkeyPatch, setting: str, words: str
) -> None:
    name, _, value = setting.partition("=")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = shown(run, monkeypatch, words, **{name: value})
    assert text
    assert not COLOUR.search(text)


def test_help_has_colour_on_a_terminal(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert COLOUR.search(shown(run, monkeypatch, "report --help"))
