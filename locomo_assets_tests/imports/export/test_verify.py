"""An export is checked by its files alone: whatever is changed in it is found, and named."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.imports.export.signing import SignatureError
from locomo_assets.imports.export.verify import (
    Finding,
    NotAnExportError,
    faults_in,
    verify_export,
)
from locomo_assets_tests.imports.export.measured import History, measure

FIRST = "01-r1-standin-isolated.jsonl"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = History(tmp_path_factory.mktemp("measured") / "home")
    measure(history)
    return history.export(history.path.parent / "out")


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "out"))


def faults(folder: Path, **given: Any) -> list[str]:
    return [f"{one.file}: {one.text}" for one in faults_in(verify_export(folder, **given))]


def rewrite(folder: Path, change: Callable[[str], str], file: str = FIRST) -> None:
    """Changes a file as somebody does who also puts the new hashes in place."""
    path = folder / file
    path.write_text(change(path.read_text()))
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, about in manifest["files"].items():
        data = (folder / name).read_bytes()
        about |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    sums = {name: about["sha256"] for name, about in manifest["files"].items()}
    data = (folder / "manifest.json").read_bytes()
    sums["manifest.json"] = hashlib.sha256(data).hexdigest()
    text = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items()))
    (folder / "SHA256SUMS").write_text(text)


def test_what_was_written_fits(folder: Path) -> None:
    findings = list(verify_export(folder))
    assert faults_in(findings) == []
    told = [one.text for one in findings if one.file == FIRST]
    assert told[0].startswith("fits: ")
    assert sum("as recounted" in text for text in told) == 2
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, check=False)
    assert done.returncode == 0


def test_the_accuracy_is_counted_as_the_readme_says(folder: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    (command,) = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    judge = "gpt-4.1/generous@1a2b3c4d"
    command = command.replace("JUDGE", judge).replace("FILE.jsonl", FIRST)
    done = subprocess.run(["sh", "-ec", command], cwd=folder, check=True, capture_output=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    headline = manifest["results"][0]["series"][0]["headline"]
    found = json.loads(done.stdout)
    assert (found["right"], found["scored"]) == (headline["correct"], headline["scored"])
    assert found["percent"] == pytest.approx(headline["accuracy_percent"], abs=0.005)


def test_a_changed_byte_a_missing_and_a_further_file_are_named(folder: Path) -> None:
    path = folder / FIRST
    path.write_bytes(path.read_bytes().replace(b"So it is", b"So it if", 1))
    assert faults(folder)[0].startswith(f"{FIRST}: was changed: ")
    path.unlink()
    (folder / "more.txt").write_text("more")
    assert faults(folder) == [
        f"{FIRST}: is missing",
        "more.txt: is not part of the export",
    ]
    path.symlink_to("/etc/hostname")
    assert f"{FIRST}: is missing" in faults(folder)
    (folder / "SHA256SUMS").write_text("")
    assert "SHA256SUMS: does not say what manifest.json says" in faults(folder)
    (folder / "SHA256SUMS").unlink()
    assert "SHA256SUMS: is missing" in faults(folder)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('"verdict": "correct"', '"verdict": "wrong"', "correct is 21 in manifest.json, but 20"),
        ('"verdict": "unscored"', '"verdict": "wrong"', "unscored is "),
        ('"category": 4', '"category": 1', "differs from an earlier line on the same question"),
        ('{"conversation"', '{"conversation', "line 1: is not JSON"),
        ('"verdict": "correct"', '"verdict": "right"', "line 1: verdict: .* is no verdict"),
        ('"gpt-4.1/strict@5e6f7a8b"', '"gpt-4.1/generous@1a2b3c4d"', "line 2: .* repeats one"),
        ('"question_index": 0, ', "", "lacks conversation, question_index or category"),
        ('"judge": "gpt-4.1/generous@1a2b3c4d"', '"judge": "me"', "has other judges"),
    ],
)
def test_a_change_under_new_hashes_is_found_by_counting(
    folder: Path, old: str, new: str, found: str
) -> None:
    rewrite(folder, lambda text: text.replace(old, new, 1))
    told = faults(folder)
    assert told
    assert any(re.search(found, one) for one in told), told


def test_a_line_less_is_found(folder: Path) -> None:
    rewrite(folder, lambda text: text.partition("\n")[2])
    assert any("has 106" in one or "lines, not" in one for one in faults(folder))


@pytest.mark.parametrize("field", ["questions", "wrong", "not_judged", "accuracy_percent"])
def test_a_headline_that_was_improved_is_found(folder: Path, field: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["results"][0]["series"][0]["headline"][field] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    rewrite(folder, lambda text: text)
    (told,) = faults(folder)
    assert f": {field} is " in told


def test_a_headline_with_another_interval_is_found(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["results"][0]["series"][0]["headline"]["interval_percent"] = [40.0, 41.0]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    rewrite(folder, lambda text: text)
    (told,) = faults(folder)
    assert "interval_percent is [40.0, 41.0] in manifest.json, but [" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "holds no manifest.json; give the folder that"),
        ("{", "manifest.json: is not JSON"),
        ("[]", "Input should be a valid dictionary"),
        ('{"format": 1}', "format: Input should be a valid string"),
    ],
)
def test_what_is_no_export_is_said_in_a_line(folder: Path, text: str | None, message: str) -> None:
    path = folder / "manifest.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(NotAnExportError, match=message) as caught:
        list(verify_export(folder))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("; give the folder that `locomo-assets export` wrote")


def test_a_file_is_no_folder_of_an_export(folder: Path) -> None:
    with pytest.raises(NotAnExportError, match=r"jsonl: holds no manifest\.json; give the folder"):
        list(verify_export(folder / FIRST))


def test_another_version_is_not_guessed_at(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(NotAnExportError, match="format version 2, and this program reads 1"):
        list(verify_export(folder))


def test_a_name_that_leads_elsewhere_is_not_followed(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"README.md"', '"../README.md"'))
    assert "../README.md: has no hash in manifest.json" in faults(folder)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two keys, and files of allowed signers that name the first, and the second."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "theirs"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
        public = (folder / f"{name}.pub").read_text()
        (folder / f"{name}.allowed").write_text(f"{name}@example.org {public}")
    return folder


def test_a_signature_says_who(exported: Path, keys: Path, tmp_path: Path) -> None:
    history = History(tmp_path / "home")
    measure(history)
    signed = history.export(tmp_path / "out", key=keys / "mine")

    def first(allowed: Path | None = None) -> Finding:
        return next(iter(verify_export(signed, allowed)))

    assert first().text.startswith("fits, by the key SHA256:")
    assert first(keys / "mine.allowed") == Finding("manifest.json.sig", "fits, by mine@example.org")
    assert first(keys / "theirs.allowed").is_fault
    assert "is not by a key in" in first(keys / "theirs.allowed").text
    assert "is no file; each line of it" in first(keys / "none").text
    unsigned = next(iter(verify_export(exported, keys / "mine.allowed")))
    assert unsigned == Finding(
        "manifest.json.sig", "is missing: nobody signed this export", is_fault=True
    )
    manifest = signed / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"with_gold": false', '"with_gold": true'))
    assert "does not fit manifest.json" in first(keys / "mine.allowed").text
    assert "does not fit manifest.json" in first().text


def test_without_ssh_keygen_it_is_said(
    exported: Path, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path / "home")
    measure(history)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SignatureError, match="ssh-keygen is not installed; install OpenSSH"):
        history.export(tmp_path / "out", key=keys / "mine")
    assert not (tmp_path / "out").exists()
    assert exported.exists()


def test_a_key_that_is_none_is_refused_in_a_line(keys: Path, tmp_path: Path) -> None:
    history = History(tmp_path / "home")
    measure(history)
    (tmp_path / "bad").write_text("no key\n")
    (tmp_path / "bad").chmod(0o600)
    with pytest.raises(
        SignatureError, match=r"bad: give a private SSH key.*ssh-keygen refused it"
    ) as caught:
        history.export(tmp_path / "out", key=tmp_path / "bad")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert keys.exists()
