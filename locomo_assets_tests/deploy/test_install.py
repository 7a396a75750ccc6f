"""`install.sh`, as the Makefile calls it, with interpreters and a uv that only note what was asked.

What is installed for real is tested by `.ci/interpreters`.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from locomo_assets_tests.deploy.manifests import REPOSITORY
from locomo_assets_tests.deploy.test_supply import pinned

PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" | tr '\\n' ' ' | cut -c1-200 >>"{log}"
case "$*" in
  *base_prefix*) echo "{version}|{short}|$0|{prefix}|{new}" ;;
  *version_info*) [ {new} = True ] ;;
  *ensurepip*) {ensurepip} ;;
  "-m venv"*) "{bin}/make-venv" "$0" ;;
  "-m pip install"*) cat >>"{log}"; cp "{bin}/fake-uv" .venv/bin/uv ;;
  *) exit 0 ;;
esac
"""
MAKE_VENV = """#!/bin/sh
mkdir -p .venv/bin .venv/lib/python3.11/site-packages .venv/lib/python3.12/site-packages
: >.venv/pyvenv.cfg
cp "$1" .venv/bin/python
echo "VIRTUAL_ENV='$(pwd -P)/.venv'" >.venv/bin/activate
"""
UV = """#!/bin/sh
case "$*" in
  --version) exit 0 ;;
  "venv -q --python "*) echo "uv $*" >>"{log}"; "{bin}/make-venv" "$4" ;;
  *) echo "uv $*" >>"{log}"; {result} ;;
esac
"""
TOOLS = ("basename", "cat", "cmp", "cp", "cut", "dirname", "grep", "make", "mkdir", "rm", "rmdir",
         "sed", "sh", "tr")  # fmt: skip


class Clone:
    """A clone with small locks, on a machine that has nothing but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin, self.log = folder / "clone", folder / "bin", folder / "log"
        self.folder.mkdir()
        self.bin.mkdir()
        for name in ("install.sh", "Makefile", "pyproject.toml", "Dockerfile"):
            shutil.copy(REPOSITORY / name, self.folder)
        self.write("requirements.lock", "six==1 \\\n    --hash=sha256:1\n")
        uv = "uv==0.1 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n    # via x\n"
        self.write("requirements-dev.lock", f"six==1 \\\n    --hash=sha256:1\n{uv}yarl==2\n")
        for name in TOOLS:
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)
        self.script("make-venv", MAKE_VENV)
        self.uv("fake-uv")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def script(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def python(self, name: str, version: str, *, ensurepip: bool = True, prefix: str = "") -> None:
        major, minor, _ = version.split(".")
        self.script(name, PYTHON.format(
            version=version, short=f"{major}.{minor}", new=(int(major), int(minor)) >= (3, 11),
            prefix=prefix or f"/opt/{version}", ensurepip="true" if ensurepip else "false",
            bin=self.bin, log=self.log,
        ))  # fmt: skip

    def uv(self, name: str = "uv", *, works: bool = True) -> None:
        result = "true" if works else "echo 'Hash mismatch for six' >&2; false"
        self.script(name, UV.format(bin=self.bin, log=self.log, result=result))

    def make(self, *words: str, **environment: str) -> tuple[int, list[str]]:
        """Its exit code and its lines on stderr without make's own."""
        self.log.unlink(missing_ok=True)
        done = subprocess.run(
            ["make", *(words or (".venv/run",))],
            cwd=self.folder, env={"PATH": str(self.bin), **environment},
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        lines = [line for line in done.stderr.splitlines() if not line.startswith("make:")]
        return done.returncode, lines

    def asked(self, start: str = "") -> list[str]:
        if not self.log.exists():
            return []
        return [line for line in self.log.read_text().splitlines() if line.startswith(start)]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path)
    clone.python("python3", "3.12.1")
    return clone


def test_uv_of_the_path_installs_the_lock_by_its_hashes_and_then_the_project(clone: Clone) -> None:
    clone.uv()
    code, lines = clone.make()
    assert code == 0, lines
    (said,) = lines
    assert said.startswith("Installing the 1 packages of requirements.lock into .venv (")
    install = "uv pip install -q --python .venv/bin/python --no-deps"
    assert clone.asked("uv") == [
        f"uv venv -q --python {clone.bin / 'python3'} .venv",
        f"{install} --require-hashes -r requirements.lock",
        f"{install} --no-build-isolation -e .",
    ]


def test_without_uv_pip_installs_the_version_of_the_dev_lock_by_its_hashes(clone: Clone) -> None:
    code, lines = clone.make()
    assert (code, len(lines)) == (0, 1)
    (pip,) = clone.asked("python -m pip install")
    assert "--no-deps --require-hashes -r /dev/stdin" in pip
    read = clone.log.read_text()
    assert "uv==0.1 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n" in read
    assert "six" not in read
    assert "yarl" not in read
    assert clone.asked("uv pip install")


def test_where_nothing_changed_nothing_is_done(clone: Clone) -> None:
    clone.uv()
    clone.make()
    assert clone.make() == (0, [])
    assert clone.asked("uv") == []


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_another_lock_is_installed_into_the_venv_that_is_there(clone: Clone, changed: str) -> None:
    """By what it says: a checkout of an older one makes it newer by its time."""
    clone.uv()
    clone.make()
    (clone.folder / ".venv" / "mine").touch()
    before = (clone.folder / changed).read_text()
    for text in (f"{before}# more\n", before):
        clone.write(changed, text)
        os.utime(clone.folder / changed, (1, 1))
        code, lines = clone.make()
        assert (code, len(lines)) == (0, 1)
        assert len(clone.asked("uv pip install")) == 2
        assert clone.make() == (0, [])
    assert (clone.folder / ".venv" / "mine").exists()


def test_the_dev_lock_holds_what_a_run_needs(clone: Clone) -> None:
    clone.uv()
    assert clone.make(".venv/test")[0] == 0
    assert [line.rpartition(" ")[2] for line in clone.asked("uv pip")] == [
        "requirements-dev.lock", ".",
    ]  # fmt: skip
    assert clone.make(".venv/run") == (0, [])
    clone.write("requirements.lock", "six==2 \\\n    --hash=sha256:1\n")
    clone.make(".venv/run")
    # The older one may have replaced what the dev lock says.
    assert len(clone.make(".venv/test")[1]) == 1
    assert clone.make(".venv/test") == (0, [])


def gone(clone: Clone) -> None:
    (clone.folder / ".venv/bin/python").unlink()


def replaced(clone: Clone) -> None:
    shutil.rmtree(clone.folder / ".venv/lib/python3.12")


def moved(clone: Clone) -> None:
    clone.folder = clone.folder.rename(clone.folder.with_name("elsewhere"))


def too_old(clone: Clone) -> None:
    clone.python("old", "3.10.1")
    shutil.copy(clone.bin / "old", clone.folder / ".venv/bin/python")


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (gone, "its Python is gone"),
        (replaced, "it was made by another Python"),
        (moved, "its folder was moved"),
        (too_old, "its Python is 3.10.1"),
    ],
)
@pytest.mark.parametrize("has_uv", [True, False])
def test_a_venv_that_is_broken_is_made_anew(
    clone: Clone, harm: object, why: str, has_uv: bool
) -> None:
    if has_uv:
        clone.uv()
    clone.make()
    (clone.folder / ".venv" / "mine").touch()
    assert callable(harm)
    harm(clone)
    code, lines = clone.make()
    assert (code, lines[0], len(lines)) == (0, f"Making .venv anew: {why}.", 2)
    assert not (clone.folder / ".venv" / "mine").exists()
    assert clone.make() == (0, [])


def test_another_interpreter_is_taken_only_where_it_is_named(clone: Clone) -> None:
    clone.uv()
    clone.python("python3.11", "3.11.7")
    assert clone.make(PYTHON="python3.11")[0] == 0
    assert clone.make() == (0, [])  # python3 is 3.12, and the .venv works
    assert clone.make(PYTHON="python3.11") == (0, [])
    code, lines = clone.make(".venv/run", "PYTHON=python3")
    assert code == 0
    assert lines[0] == (
        f"Making .venv anew: PYTHON asks for Python 3.12.1 at {clone.bin / 'python3'}."
    )


def test_a_python_that_is_too_old(clone: Clone) -> None:
    clone.python("python3", "3.9.18")
    code, lines = clone.make("run")
    assert code
    at = f"error: Python 3.9.18 at {clone.bin / 'python3'}: 3.11 or newer is needed; PYTHON="
    assert lines == [f"{at}/path/to/python3.12 make run chooses another"]
    clone.python("python3.12", "3.12.4")
    assert clone.make("run")[1] == [f"{at}python3.12 make run chooses another"]
    assert not (clone.folder / ".venv").exists()


def test_a_python_that_is_not_there_or_does_not_start(clone: Clone) -> None:
    clone.script("python3.13", "#!/bin/sh\nexit 127\n")  # as pyenv's shims of another version
    code, lines = clone.make("dev", PYTHON="python3.13")
    assert code
    (line,) = lines
    assert line.startswith(f"error: python3.13 at {clone.bin / 'python3.13'} does not start; ")
    (clone.bin / "python3").unlink()
    code, lines = clone.make("dev")
    assert code
    (line,) = lines
    assert line.startswith("error: python3: no such command; Python 3.11 or newer is needed; ")
    assert line.endswith(" make dev chooses another")


def test_a_wish_that_fails_leaves_the_venv_as_it_is(clone: Clone) -> None:
    clone.uv()
    clone.make()
    clone.python("old", "3.8.1")
    code, lines = clone.make(PYTHON="old")
    assert (code != 0, len(lines)) == (True, 1)
    assert clone.make() == (0, [])


def test_a_debian_python_without_ensurepip(clone: Clone) -> None:
    clone.python("python3", "3.12.1", ensurepip=False)
    code, lines = clone.make("run")
    assert code
    (line,) = lines
    assert line.startswith(f"error: Python 3.12.1 at {clone.bin / 'python3'} has no ensurepip: ")
    assert "python3-venv" in line
    clone.uv()
    assert clone.make()[0] == 0


def test_what_fails_is_told_and_tried_again(clone: Clone) -> None:
    clone.uv(works=False)
    code, lines = clone.make("run")
    assert code
    assert lines[1] == "Hash mismatch for six"
    assert lines[2].startswith("error: requirements.lock is not installed: uv says above why.")
    assert lines[2].endswith("make run")
    clone.uv()
    assert len(clone.make()[1]) == 1
    assert clone.make() == (0, [])


def test_a_folder_that_is_no_virtual_environment_is_not_removed(clone: Clone) -> None:
    (clone.folder / ".venv").mkdir()
    clone.write(".venv/mine", "")
    code, lines = clone.make("run")
    assert code
    assert lines == ["error: .venv is no virtual environment; move it away, then: make run"]
    assert (clone.folder / ".venv" / "mine").exists()


def test_make_dev_hands_the_port_on(clone: Clone) -> None:
    def command(*words: str) -> str:
        return subprocess.run(
            ["make", "-n", "dev", *words], cwd=clone.folder, env={"PATH": str(clone.bin)},
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()[-1].strip()  # fmt: skip

    assert command().endswith("-m locomo_assets.pipeline.dev")
    assert command("PORT=3001").endswith("-m locomo_assets.pipeline.dev --port 3001")


def test_the_lock_has_what_builds_the_project() -> None:
    """It is built without isolation, so that its builder comes by hash too."""
    names = {name for name, _, _ in pinned(REPOSITORY / "requirements.lock")}
    assert "setuptools" in names
    for name in ("install.sh", "Dockerfile"):
        (line,) = re.findall(r"(?m)^.*pip.* install .* (?:-e )?\.(?: .*)?$",
                             (REPOSITORY / name).read_text())  # fmt: skip
        assert "--no-deps --no-build-isolation" in line


def test_the_size_that_is_said_is_the_size() -> None:
    said = re.search(r"(?m)^DISK_MB=(\d+)$", (REPOSITORY / "install.sh").read_text())
    assert said
    size = 0
    for name in {name for name, _, _ in pinned(REPOSITORY / "requirements.lock")}:
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another system or Python
        for file in files:
            path = str(file.locate())
            if not path.endswith(".pyc") and os.path.exists(path):
                size += os.path.getsize(path)
    assert int(said[1]) == pytest.approx(size / 1e6, rel=0.15)
