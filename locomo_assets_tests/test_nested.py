"""Deeply nested files and answers: one line that names them, never a RecursionError."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from locomo_assets.errors import LocomoError
from locomo_assets.feeds.detect import Cursor
from locomo_assets.feeds.feed import ReleaseFeed
from locomo_assets.history.backup.snapshot import backup_manifest_path, read_backup_manifest
from locomo_assets.history.lease import acquire
from locomo_assets.history.maintenance import check
from locomo_assets.history.provenance import manifest_from_json
from locomo_assets.history.storage import LocalStorage
from locomo_assets.history.store import HistoryStore
from locomo_assets.imports.jsonl import parse_jsonl
from locomo_assets.judging.judge import Verdict, parse_reply
from locomo_assets.locomo.audit import read_audit
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.prices import PriceTable
from locomo_assets_tests.history.factories import answer, lineage

LISTS = "[" * 100_000 + "]" * 100_000
OBJECTS = '{"a":' * 100_000 + "1" + "}" * 100_000
# Within what Python's JSON reads, but not within what walks over it by itself.
SHALLOWER = '{"a":' * 900 + "1" + "}" * 900
JSON = (LISTS, OBJECTS, SHALLOWER)
TOML_LISTS = "a = " + LISTS
TOML_TABLES = "a = " + "{a = " * 20_000 + "1" + "}" * 20_000
TOML_NAME = "a." * 20_000 + "a = 1"


def price_table(path: Path) -> object:
    return PriceTable.read(path)


def history_format(path: Path) -> object:
    (path.parent / "history").mkdir()
    path.rename(path.parent / "history" / "format.json")
    return HistoryStore.open((path.parent / "history").as_uri())


def manifest(path: Path) -> object:
    return manifest_from_json(str(path), path.read_bytes())


def backup_manifest(path: Path) -> object:
    data = gzip.compress(path.read_bytes())
    name = f"20260101T000000000000Z-{hashlib.sha256(data).hexdigest()[:16]}"
    storage = LocalStorage(path.parent)
    storage.put(backup_manifest_path(name), data)
    return read_backup_manifest(storage, name)


def lease(path: Path) -> object:
    storage = LocalStorage(path.parent)
    held = acquire(storage, lineage("answers"))
    storage.put(held.path, path.read_bytes())
    return acquire(storage, lineage("answers"))


def imported_lines(path: Path) -> object:
    dataset = read_dataset(packaged_sample())
    return parse_jsonl(path.name, path.read_bytes(), dataset, system="s", question_protocol="p")


READERS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "price table": (price_table, (TOML_LISTS, TOML_TABLES, TOML_NAME)),
    "data set": (lambda path: read_dataset(str(path)), JSON),
    "audit": (lambda path: read_audit(str(path)), JSON),
    "format": (history_format, JSON),
    "manifest": (manifest, JSON),
    "backup": (backup_manifest, JSON),
    "lease": (lease, JSON),
    "import": (imported_lines, JSON),
    "feed": (lambda path: ReleaseFeed("json", str(path)).read(), JSON),
    "OpenAPI": (lambda path: ReleaseFeed("openapi", str(path)).read(), JSON),
}


@pytest.mark.parametrize(
    ("what", "number"),
    [(what, n) for what, (_, texts) in READERS.items() for n in range(len(texts))],
)
def test_a_deeply_nested_file_is_one_line(what: str, number: int, tmp_path: Path) -> None:
    read, texts = READERS[what]
    path = tmp_path / "nested"
    path.write_text(texts[number])
    with pytest.raises(LocomoError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("text", JSON)
def test_a_deeply_nested_reply_or_cursor_is_none(text: str) -> None:
    assert parse_reply(text).verdict is Verdict.UNSCORED
    assert Cursor.parse(text, ReleaseFeed("json", "https://feed.invalid/")) is None


def test_a_manifest_may_hold_what_is_nested_a_little(tmp_path: Path) -> None:
    store = HistoryStore.open(tmp_path.as_uri())
    attempt = store.begin(lineage("answers"))
    attempt.append("answers", [answer(0)])
    path = tmp_path / attempt.commit(note="@").path
    path.write_text(path.read_text().replace('"@"', SHALLOWER))
    assert check(store).problems == ()
