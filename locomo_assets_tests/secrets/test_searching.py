"""The search for keys finds them wherever they may lie: without that its silence says nothing."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.settings import DEFAULT_KEY
from locomo_assets_tests.secrets.searching import (
    BACKBOARD_KEY,
    OPENAI_KEY,
    files_with_a_key,
    holds_a_key,
)

LONG = "some text " * 2000


def test_fragments_count() -> None:
    assert holds_a_key(f"cut off at {BACKBOARD_KEY[:12]}")
    assert holds_a_key(OPENAI_KEY[5:20].encode())
    assert not holds_a_key(BACKBOARD_KEY[:11])
    assert not holds_a_key(DEFAULT_KEY)


def test_parquet_values_behind_compression(tmp_path: Path) -> None:
    # Enough letters without a pattern for the compression to write each in fewer bits.
    letters = "".join(random.Random(0).choices("etaoin shrdlu", k=20_000))
    table = pa.table({"reason": [f"{letters}{BACKBOARD_KEY}"]})
    pq.write_table(table, tmp_path / "part.parquet", compression="zstd", write_statistics=False)
    assert not holds_a_key((tmp_path / "part.parquet").read_bytes())
    assert files_with_a_key(tmp_path) == ["part.parquet"]


def test_duckdb_values(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "history.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT $1 AS reason", [LONG + OPENAI_KEY])
    assert files_with_a_key(tmp_path) == ["history.duckdb"]


def test_sqlite_values_over_pages(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
        connection.execute("CREATE TABLE t (event TEXT)")
        for shift in range(0, 4096, 7):
            connection.execute("INSERT INTO t VALUES (?)", ("x" * (4000 + shift) + BACKBOARD_KEY,))
    assert files_with_a_key(tmp_path) == ["runs.db"]


def test_names_and_logs(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "out.txt").write_text(f"Authorization: Bearer {OPENAI_KEY}")
    (tmp_path / f"{BACKBOARD_KEY}.json").touch()
    assert files_with_a_key(tmp_path) == sorted([f"{BACKBOARD_KEY}.json", "folder/out.txt"])


def test_a_run_that_logs_a_key_is_found_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole chain, with a leak made on purpose: a label that is a key goes everywhere."""
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    launch(
        Launch(release=BACKBOARD_KEY, conversations=["sample-1"], questions=1),
        Services(read_settings()),
    )
    found = files_with_a_key(home)
    kinds = {
        kind
        for kind in (".parquet", "history.duckdb", "attempts/", "dagster/")
        if any(kind in path for path in found)
    }
    assert kinds == {".parquet", "history.duckdb", "attempts/", "dagster/"}
