"""What must hold of a data set: the known counts, and rows that the history can hold."""

from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.analysis import checks
from locomo_assets.analysis.checks import counts_by_category, schema
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.rows import to_rows
from locomo_assets.locomo.sample import packaged_sample

SAMPLE = read_dataset(packaged_sample())


def test_an_unknown_file_is_only_counted() -> None:
    found = counts_by_category(SAMPLE)
    assert found.passed
    assert found.numbers["known_data_set"] is False
    assert sum(v for k, v in found.numbers.items() if k != "known_data_set" and v) == 59  # type: ignore[misc]


def test_a_known_file_must_have_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    right = {1: 10, 2: 16, 3: 6, 4: 21, 5: 6}
    monkeypatch.setattr(checks, "KNOWN_COUNTS", {SAMPLE.sha256: right})
    assert counts_by_category(SAMPLE).passed
    monkeypatch.setattr(checks, "KNOWN_COUNTS", {SAMPLE.sha256: {**right, 3: 7}})
    found = counts_by_category(SAMPLE)
    assert not found.passed
    assert found.grave
    assert "7 of category 3" in found.expected
    assert "6 of category 3" in found.actual


@pytest.mark.real_data
def test_the_real_file_is_known(real_dataset: Path) -> None:
    real = read_dataset(str(real_dataset))
    found = counts_by_category(real)
    assert found.passed
    assert found.numbers["known_data_set"] is True
    assert [found.numbers[f"questions_category_{n}"] for n in range(1, 6)] == [
        *(282, 321, 96, 841),
        446,
    ]
    assert schema(real).passed


def test_schema_of_the_sample() -> None:
    found = schema(SAMPLE)
    assert (found.passed, found.actual) == (True, "as expected")
    assert (found.numbers["rows_conversations"], found.numbers["rows_questions"]) == (2, 59)


def test_schema_names_what_is_amiss(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = SAMPLE.conversations
    silent = replace(SAMPLE, conversations=(replace(first, sessions=()), second))
    found = schema(silent)
    assert not found.passed
    assert f"{first.conversation} has no turns" in found.actual
    assert f"{first.conversation} has evidence that is no turn of it" in found.actual

    rows = {table: [dict(row) for row in its] for table, its in to_rows(SAMPLE).items()}
    rows["turns"] = [{**row, "mood": "glad"} for row in rows["turns"]]
    rows["questions"][0]["category"] = "four"
    monkeypatch.setattr(checks, "to_rows", lambda _: rows)
    found = schema(SAMPLE)
    assert not found.passed
    assert "turns has the columns mood amiss" in found.actual
    assert "questions: " in found.actual
