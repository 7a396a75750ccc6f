"""Names and manifests: labels safe in paths, ids in order of time, JSON round trips."""

import json
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.provenance import (
    DataFile,
    Lineage,
    Manifest,
    manifest_from_json,
    manifest_path,
    manifest_to_json,
    name_time,
    new_attempt_id,
    parse_manifest_name,
    path_label,
)
from locomo_assets_tests.history.factories import lineage

AT = datetime(2025, 3, 4, 5, 6, 7, 89, UTC)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text())
def test_labels_are_safe_and_distinct(one: str, other: str) -> None:
    safe = path_label(one)
    assert "/" not in safe
    assert len(safe) < 200
    assert safe.isascii()
    if one != other and other.isprintable():
        assert safe != path_label(other)


def test_a_missing_label_differs_from_any_label() -> None:
    assert path_label(None) not in {path_label("@none"), path_label(""), path_label("None")}
    assert path_label("r/1 ä|x") == "r%2F1%20%C3%A4%7Cx"


def test_long_labels_with_the_same_beginning_differ() -> None:
    assert path_label("x" * 500) != path_label("x" * 501)


def test_ids_are_unique_and_in_order_even_if_the_clock_stands_still() -> None:
    found: list[list[str]] = []

    def make() -> None:
        found.append([new_attempt_id(AT) for _ in range(500)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({i for ids in found for i in ids}) == 2000
    assert all(ids == sorted(ids) for ids in found)


def test_manifest_names_hold_time_and_attempt() -> None:
    path = manifest_path(lineage("answers", "r/1"), AT, "20250304T050000000000Z-ab12")
    assert path.startswith("attempts/asset=answers/release=r%2F1/conversation=conv-1/")
    name = parse_manifest_name(path)
    assert name is not None
    assert (name_time(name.committed_at), name.attempt_id, name.compacted) == (
        AT,
        "20250304T050000000000Z-ab12",
        False,
    )
    compacted = parse_manifest_name(path.removesuffix(".json") + ".compacted.json")
    assert compacted is not None
    assert (compacted.attempt_id, compacted.compacted) == (name.attempt_id, True)
    assert parse_manifest_name("attempts/README.md") is None


def test_manifest_roundtrip() -> None:
    manifest = Manifest(
        attempt_id="i",
        lineage=Lineage(
            asset="answers",
            run_id="run ä",
            release="r/1 ä|x",
            conversation="conv",
            code_version="1",
            dataset_sha256=None,
            system="standin",
            extra={"note": "ü", "list": [1, None]},
        ),
        begun_at=AT,
        committed_at=AT,
        data_files=(DataFile("tables/answers/x.parquet", "answers", 3, 99, "ab" * 32),),
        continued=("earlier",),
        path="p",
    )
    assert manifest_from_json("p", manifest_to_json(manifest)) == manifest


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_torn_manifest_is_named(cut: int) -> None:
    whole = manifest_to_json(
        Manifest(
            "i", lineage("answers"), AT, AT, (DataFile("x", "answers", 1, 1, "a"),), (), "m.json"
        )
    )
    with pytest.raises(HistoryDamagedError, match=r"m\.json"):
        manifest_from_json("m.json", whole[:cut])


OUTSIDE = (
    "/etc/passwd",
    "../secret.parquet",
    "tables/answers/../../../secret.parquet",
    "tables/answers//x.parquet",
    "tables/judgements/x.parquet",
    "attempts/asset=answers/x.json",
    "format.json",
)


@pytest.mark.parametrize(
    "change",
    [
        *({"path": path} for path in OUTSIDE),
        {"path": None},
        {"table": "no_such_table", "path": "tables/no_such_table/x.parquet"},
        {"sha256": None},
        {"sha256": "ab"},
        {"size_bytes": None},
        {"rows": -1},
    ],
)
def test_a_data_file_that_no_commit_would_write_is_refused(change: dict[str, object]) -> None:
    """Whoever tampers with a manifest must not have files read or deleted elsewhere."""
    data_file = DataFile("tables/answers/x.parquet", "answers", 3, 99, "ab" * 32)
    whole = Manifest("i", lineage("answers"), AT, AT, (data_file,), (), "m.json")
    value = json.loads(manifest_to_json(whole))
    value["parts"][0] |= change
    with pytest.raises(HistoryDamagedError, match=r"m\.json") as caught:
        manifest_from_json("m.json", json.dumps(value).encode())
    assert "\n" not in str(caught.value)


def test_a_deeply_nested_manifest_is_named() -> None:
    with pytest.raises(HistoryDamagedError, match=r"m\.json"):
        manifest_from_json("m.json", b"[" * 200_000)


@pytest.mark.parametrize(
    "change",
    [
        *({name: 7} for name in ("attempt_id", "asset", "run_id", "release", "system")),
        {"asset": None},
        {"conversation": ["a"]},
        {"extra": None},
        {"extra": []},
        {"continued": [["a"]]},
        {"continued": None},
        {"committed_at": "2026-01-01T00:00:00"},
        {"begun_at": 7},
        {"parts": {"a": 1}},
    ],
)
def test_a_manifest_with_a_value_of_another_kind_is_named(change: dict[str, object]) -> None:
    value = json.loads(manifest_to_json(Manifest("i", lineage("answers"), AT, AT, (), (), "m")))
    with pytest.raises(HistoryDamagedError, match=r"m\.json"):
        manifest_from_json("m.json", json.dumps({**value, **change}).encode())


def test_an_incomplete_manifest_is_named() -> None:
    with pytest.raises(HistoryDamagedError, match="KeyError"):
        manifest_from_json("m.json", json.dumps({"attempt_id": "x"}).encode())
