"""How many wrong answers stay wrong with the evidence in hand, from a small history."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import Accuracy, by_release
from locomo_assets.analysis.blame import BlameBound, blame_bound
from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    answer,
    commit,
    commit_dataset,
    commit_verdicts,
    lineage,
)


def _measure(store: HistoryStore, release: str, protocol: str, verdicts: Sequence[str]) -> None:
    mark = f"{release}{protocol}"
    rows = [answer(i, mark, question_protocol=protocol) for i in range(len(verdicts))]
    commit(store, lineage("answers", release), {"answers": rows})
    commit_verdicts(
        store, lineage("judgements", release), verdicts, mark=mark, question_protocol=protocol
    )


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases of ten questions, and the second's first four asked with their evidence."""
    folder = tmp_path_factory.mktemp("blame")
    store = HistoryStore.open(folder.as_uri())
    commit_dataset(store)
    _measure(store, "r1", "isolated", ["correct"] * 10)
    _measure(store, "r2", "isolated", ["wrong", "wrong", "correct", "wrong", "wrong", "wrong"])
    _measure(store, "r2", "evidence-only", ["wrong", "correct", "wrong", "unscored"])
    return refresh(store, folder / "history.duckdb").path


def _row(database_path: Path, release: str, protocol: str = "isolated") -> Accuracy:
    rows = by_release(database_path, release, max_error_percent=100.0)
    return next(row for row in rows if row.question_protocol == protocol)


def test_wrong_answers_are_counted_where_both_have_a_verdict(database_path: Path) -> None:
    """Category 5 (the fifth question) is no answer that should have been right."""
    found = blame_bound(database_path, _row(database_path, "r2"))
    assert found == BlameBound("r2", wrong=4, asked_with_evidence=2, wrong_with_evidence=1)
    assert found.line().startswith("of 4 wrong answers, 1 of the 2 that were asked so are also ")


def test_nothing_is_said_without_wrong_answers_or_of_a_reference(database_path: Path) -> None:
    assert blame_bound(database_path, _row(database_path, "r1")) is None
    assert blame_bound(database_path, _row(database_path, "r2", "evidence-only")) is None


def test_a_question_without_evidence_is_not_counted_as_asked_with_it(tmp_path: Path) -> None:
    store = HistoryStore.open(tmp_path.as_uri())
    questions = [
        {"conversation": "conv-1", "question_index": i, "category": 1, "evidence": evidence}
        for i, evidence in enumerate(([], ["D1:1"]))
    ]
    heads = [{"conversation": "conv-1", "source": "sample.json", "questions": 2}]
    commit(store, lineage("locomo_dataset"), {"conversations": heads, "questions": questions})
    for protocol in ("isolated", "evidence-only"):
        _measure(store, "r1", protocol, ["wrong", "wrong"])
    path = refresh(store, tmp_path / "history.duckdb").path
    found = blame_bound(path, _row(path, "r1"))
    assert found == BlameBound("r1", wrong=2, asked_with_evidence=1, wrong_with_evidence=1)


def test_sql_and_python_name_the_same_references(database_path: Path) -> None:
    from locomo_assets.backboard.protocols import MEMORY_MODES, REFERENCE_PROTOCOLS

    _, rows = query(
        database_path,
        "SELECT name FROM (SELECT unnest($names) AS name) WHERE is_reference(name)".replace(
            "$names", str(list(MEMORY_MODES))
        ),
    )
    assert [name for (name,) in rows] == list(REFERENCE_PROTOCOLS)


@pytest.mark.parametrize(
    ("label", "plain", "reference", "variant"),
    [
        ("isolated", "isolated", False, False),
        ("isolated, memory pro, tok_k 20", "isolated", False, True),
        ("no-memory", "no-memory", True, False),
        ("no-memory, thinking low", "no-memory", True, True),
    ],
)
def test_sql_and_python_read_a_label_alike(
    label: str, plain: str, reference: bool, variant: bool, database_path: Path
) -> None:
    from locomo_assets.backboard.protocols import is_reference, is_variant, protocol_name

    told = (plain, reference, variant)
    assert (protocol_name(label), is_reference(label), is_variant(label)) == told
    text = f"'{label}'"
    sql = f"SELECT protocol_name({text}), is_reference({text}), is_variant({text})"
    assert query(database_path, sql)[1] == [told]
