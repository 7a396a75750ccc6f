"""What the image and each virtual environment are made of: locked by version and by hash."""

import re
import subprocess
import sys
import zipfile
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
    for path in (REPOSITORY / "Dockerfile", SERVICES / "Dockerfile", REPOSITORY / "install.sh"):
        lines = [
            line
            for line in path.read_text().replace("\\\n", " ").splitlines()
            if re.search(r"pip.* install .* -r ", line)
        ]
        assert lines, path
        for line in lines:
            assert re.search(r"--no-deps\s+--require-hashes -r ", line), line


@pytest.mark.parametrize(
    ("installer", "refusal"),
    [
        ([sys.executable, "-m", "pip"], "THESE PACKAGES DO NOT MATCH THE HASHES"),
        ([Path(sys.executable).with_name("uv"), "--no-cache", "pip"], "Hash mismatch for `six"),
    ],
    ids=["pip", "uv"],
)
def test_a_package_of_another_content_is_not_installed(
    installer: list[str | Path], refusal: str, tmp_path: Path
) -> None:
    """As where an index has been broken into: same name and version, other bytes."""
    wanted = re.search(r"(?m)^six==(\S+)(.*\\\n)+.*$", LOCKS[0].read_text())
    assert wanted
    wheel, described = f"six-{wanted[1]}-py3-none-any.whl", f"six-{wanted[1]}.dist-info"
    with zipfile.ZipFile(tmp_path / wheel, "w") as file:
        file.writestr("six.py", "print('of somebody else')")
        file.writestr(
            f"{described}/METADATA", f"Metadata-Version: 2.1\nName: six\nVersion: {wanted[1]}\n"
        )
        file.writestr(
            f"{described}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr(f"{described}/RECORD", "")
    (tmp_path / "requirements.lock").write_text(wanted[0])
    done = subprocess.run(
        [*installer, "install", "--target", tmp_path / "into", "--no-index",
         "--find-links", tmp_path, "--no-deps", "--require-hashes",
         "-r", tmp_path / "requirements.lock"],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 1
    assert refusal in done.stderr
    assert not list((tmp_path / "into").rglob("six*"))


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
