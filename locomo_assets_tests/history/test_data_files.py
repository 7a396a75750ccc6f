"""Rows to Parquet and back: strict types, lineage columns, damage detected."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.history.data_files import (
    decode_data_file,
    encode_derived,
    encode_rows,
    encode_table,
    footer_of,
)
from locomo_assets.history.errors import HistoryDamagedError, HistoryRowError
from locomo_assets.history.provenance import DataFile
from locomo_assets.history.schema import LINEAGE, TABLES
from locomo_assets_tests.history.factories import answer, lineage

NOW = datetime(2025, 3, 4, tzinfo=UTC)


def encode(table: str, rows: list[dict[str, Any]], asset: str = "answers") -> bytes:
    return encode_rows(table, rows, attempt_id="a-1", lineage=lineage(asset), written_at=NOW)


def data_file(data: bytes, rows: int, table: str = "answers") -> DataFile:
    return DataFile("x.parquet", table, rows, len(data), hashlib.sha256(data).hexdigest())


def test_rows_come_back_in_the_schema_with_their_lineage() -> None:
    data = encode("answers", [answer(0), {"question_index": 1, "answer": "ä \x00 日"}])
    table = decode_data_file(data_file(data, 2), data)
    assert table.schema == TABLES["answers"]
    rows = table.to_pylist()
    assert [row["question_index"] for row in rows] == [0, 1]
    assert rows[1]["answer"] == "ä \x00 日"
    assert rows[1]["latency_ms"] is None
    assert {name: rows[0][name] for name, _ in LINEAGE} == {
        "attempt_id": "a-1",
        "run_id": "run-1",
        "asset": "answers",
        "release": "r1",
        "conversation": "conv-1",
        "code_version": "1",
        "dataset_sha256": "d" * 64,
        "system": "standin",
        "written_at": NOW,
    }


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("answers", {"question_index": 1.5}),
        ("answers", {"question_index": 1.0}),
        ("answers", {"question_index": True}),
        ("answers", {"question_index": 2**40}),
        ("answers", {"answer": 7}),
        ("answers", {"answer": b"bytes"}),
        ("answers", {"answer": "\ud800"}),
        ("answers", {"latency_ms": "7"}),
        ("answers", {"latency_ms": True}),
        ("answers", {"asked_at": datetime(2025, 1, 1)}),  # noqa: DTZ001  # that is the fault
        ("answers", {"asked_at": "2025-01-01"}),
        ("answers", {"asked_at": 7}),
        ("memory_operations", {"memory_ids": "abc"}),
        ("memory_operations", {"memory_ids": [1]}),
        ("memory_operations", {"memory_ids": [None]}),
        ("answers", {"anwser": "x"}),
        ("answers", {"attempt_id": "mine"}),
        ("answers", {"release": "mine"}),
    ],
)
def test_what_does_not_fit_is_refused(table: str, row: dict[str, Any]) -> None:
    with pytest.raises(HistoryRowError, match=f"table {table}"):
        encode(table, [row])


def test_times_of_other_zones_are_stored_as_utc() -> None:
    there = datetime(2025, 3, 4, 3, tzinfo=timezone(timedelta(hours=3)))
    data = encode("answers", [{"asked_at": there}])
    assert decode_data_file(data_file(data, 1), data).to_pylist()[0]["asked_at"] == NOW


def test_a_row_names_its_conversation_only_where_the_attempt_has_none() -> None:
    data = encode("turns", [{"conversation": "conv-9"}], asset="locomo_dataset")
    assert (
        decode_data_file(data_file(data, 1, "turns"), data).to_pylist()[0]["conversation"]
        == "conv-9"
    )


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_flipped_bit_is_detected(at: int, bit: int) -> None:
    data = encode("answers", [answer(0)])
    at %= len(data)
    flipped = data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
    with pytest.raises(HistoryDamagedError, match=r"x\.parquet was changed"):
        decode_data_file(data_file(data, 1), flipped)


def test_a_data_file_without_a_manifest_is_still_checked() -> None:
    data = encode("answers", [answer(0)])
    with pytest.raises(HistoryDamagedError, match="not a Parquet file"):
        decode_data_file(DataFile("x.parquet", "answers", 1, None, None), data[:-10])
    with pytest.raises(HistoryDamagedError, match="1 rows, its manifest says 2"):
        decode_data_file(data_file(data, 2), data)
    assert footer_of("x.parquet", data) == (lineage("answers"), 1, False)
    merged = encode_derived(decode_data_file(data_file(data, 1), data, as_written=True))
    assert footer_of("x.parquet", merged) == (lineage("answers"), 1, True)
    for foreign in (data[:-10], b"", encode_table(pa.table({"a": [1]}))):
        with pytest.raises(HistoryDamagedError, match="not a data file of a history"):
            footer_of("x.parquet", foreign)


def test_data_files_of_an_older_schema_are_read_with_nulls() -> None:
    data = encode("answers", [answer(0)])
    older = encode_table(
        decode_data_file(data_file(data, 1), data, as_written=True).drop(["in_flight"])
    )
    table = decode_data_file(data_file(older, 1), older)
    assert table.schema == TABLES["answers"]
    assert table.column("in_flight").to_pylist() == [None]
    assert table.column("answer").to_pylist() == ["answer a 0"]


def test_columns_are_chosen_in_the_schemas_order() -> None:
    data = encode("answers", [answer(0)])
    table = decode_data_file(data_file(data, 1), data, ["answer", "release"])
    assert table.column_names == ["release", "answer"]


def test_what_is_small_is_not_compressed_and_text_is() -> None:
    rows = [{"answer": f"a long answer {number} " * 20, "cost_usd": 0.5} for number in range(50)]
    data = encode("answers", rows)
    group = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0)
    columns = (group.column(number) for number in range(group.num_columns))
    used = {column.path_in_schema: column.compression for column in columns}
    assert used["answer"] == "ZSTD"
    assert {used[name] for name in ("cost_usd", "dataset_sha256")} == {"UNCOMPRESSED"}
    assert len(data) < sum(len(str(row["answer"])) for row in rows)


def test_arrow_does_without_pandas_and_still_makes_frames_for_who_asks() -> None:
    code = """
import sys
from locomo_assets.history.data_files import do_without_pandas, pa
do_without_pandas()
assert pa.array(["a", None]).to_pylist() == ["a", None]
assert "pandas" not in sys.modules
assert list(pa.table({"a": [1]}).to_pandas().columns) == ["a"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
