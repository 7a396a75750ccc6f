"""The tables' Parquet, read by others: plain DuckDB and pyarrow's datasets, no code of ours.

The query is that of docs/parquet.md.
"""

import re
from pathlib import Path

import duckdb
import pyarrow.dataset as ds
import pyarrow.fs
import pytest

from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.history.factories import commit_answers, commit_dataset, commit_verdicts
from locomo_assets_tests.history.factories import lineage as lineage_of

ODD = "r/1 ä|x"


def measured(url: str) -> HistoryStore:
    """Three releases, one measured again, and work that was not committed."""
    store = HistoryStore.open(url)
    commit_dataset(store)
    for release, mark in (("r1", "a"), (ODD, "b"), ("r3", "c"), ("r3", "d")):
        commit_answers(store, lineage_of("answers", release, run_id=f"run-{mark}"), mark=mark)
        verdicts = ["correct"] * 5 + ["wrong"] * 5
        commit_verdicts(store, lineage_of("judgements", release), verdicts, mark=mark)
    store.begin(lineage_of("answers", "r4")).append(
        "answers", [{"answer_id": "x", "question_index": 0, "category": 1}]
    )
    return store


def recipe(folder: str) -> str:
    """The statement of docs/parquet.md, on this folder."""
    text = (REPOSITORY / "docs" / "parquet.md").read_text("utf-8")
    (found,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    assert "s3://bucket/folder" in found
    return str(found).replace("s3://bucket/folder", folder)


def test_plain_duckdb_reads_what_was_committed(tmp_path: Path) -> None:
    store = measured((tmp_path / "history").as_uri())
    wanted = refresh(store, tmp_path / "history.duckdb").path
    with duckdb.connect() as connection:
        found = connection.execute(recipe(str(tmp_path / "history"))).fetchall()
    ours = query(wanted, "SELECT release, accuracy FROM accuracy_by_release ORDER BY release")[1]
    assert [(row[0], row[1]) for row in found] == ours
    assert {row[0] for row in found} == {"r1", ODD, "r3"}


@pytest.mark.parametrize("table", ["answers", "judgements", "calls", "questions"])
def test_pyarrow_reads_each_table(tmp_path: Path, table: str) -> None:
    store = measured((tmp_path / "history").as_uri())
    refresh(store, tmp_path / "history.duckdb")
    found = ds.dataset(tmp_path / "history" / "tables" / table, format="parquet").to_table()
    committed = {m.attempt_id for m in store.manifests()}
    rows = found.filter(ds.field("attempt_id").isin(committed))
    ours = query(tmp_path / "history.duckdb", f"SELECT count(*) FROM {table}")[1]
    assert [(rows.num_rows,)] == ours
    if table != "questions":
        assert set(rows["release"].to_pylist()) == {"r1", ODD, "r3"}


def test_pyarrow_reads_a_bucket(s3_url: str, s3_endpoint: str) -> None:
    measured(s3_url)
    bucket = pyarrow.fs.S3FileSystem(endpoint_override=s3_endpoint)
    folder = f"{s3_url.removeprefix('s3://')}/tables/judgements"
    found = ds.dataset(folder, format="parquet", filesystem=bucket).to_table(columns=["verdict"])
    assert found.num_rows == 40
