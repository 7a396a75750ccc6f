"""What the image and each virtual environment are made of: locked by version and by hash."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from locomo_assets_tests.deploy.manifests import REPOSITORY

SERVICES = REPOSITORY / "locomo_assets_tests" / "kubernetes" / "services"
LOCKS = [
    REPOSITORY / "requirements.lock",
    REPOSITORY / "requirements-dev.lock",
    SERVICES / "requirements.lock",
]
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pinned(lock: Path) -> list[tuple[str, str, int]]:
    """Of each requirement its name, its version, and how many hashes it has."""
    found = []
    text = re.sub(r"(?m)^\s*#.*\n", "", lock.read_text())
    for entry in re.split(r"(?<!\\)\n", text.strip()):
        requirement = Requirement(entry.partition("--hash")[0].replace("\\\n", " ").strip())
        version = str(requirement.specifier)
        found.append((requirement.name, version, len(HASH.findall(entry))))
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_requirement_is_pinned_by_version_and_hash(lock: Path) -> None:
    requirements = pinned(lock)
    assert len(requirements) > 20
    for name, version, hashes in requirements:
        assert version.startswith("=="), name
        assert hashes, name
    assert "://" not in lock.read_text()  # each machine has an index of its own


def test_the_locks_are_of_one_mind() -> None:
    ours, dev, services = ({(n, v) for n, v, _ in pinned(lock)} for lock in LOCKS)
    assert ours <= dev
    assert services <= dev


def test_whatever_installs_a_lock_asks_for_its_hashes() -> None:
    for path in (REPOSITORY / "Dockerfile", SERVICES / "Dockerfile", REPOSITORY / "Makefile"):
        lines = [
            line for line in path.read_text().replace("\\\n", " ").splitlines() if " -r " in line
        ]
        assert lines, path
        for line in lines:
            assert re.search(r"(--no-deps|\$\(INSTALL\))\s+--require-hashes -r ", line), line


def test_a_package_of_another_content_is_not_installed(tmp_path: Path) -> None:
    """As where an index has been broken into: same name and version, other bytes."""
    wanted = re.search(r"(?m)^six==(\S+)(.*\\\n)+.*$", LOCKS[0].read_text())
    assert wanted
    (tmp_path / f"six-{wanted[1]}-py2.py3-none-any.whl").write_bytes(b"of somebody else")
    (tmp_path / "requirements.lock").write_text(wanted[0])
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--find-links",
         tmp_path, "--no-deps", "--ignore-installed", "--require-hashes",
         "-r", tmp_path / "requirements.lock"],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "HASHES" in done.stderr


def test_the_base_image_is_named_by_its_digest() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    (default,) = [line for line in lines if line.startswith("ARG PYTHON_IMAGE=")]
    assert re.fullmatch(r"ARG PYTHON_IMAGE=python:3\.\d+-slim@sha256:[0-9a-f]{64}", default)
    bases = [line for line in lines if line.startswith("FROM ")]
    assert {line.split()[1] for line in bases} == {"${PYTHON_IMAGE}"}
    made = subprocess.run(
        ["make", "-n", "test-images"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    # One digest for both images, named once.
    assert made.count(f"--build-arg {default.removeprefix('ARG ')} ") == 2
