"""Audits: read, and each fact of theirs held against the data set."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.locomo.audit import match_faults, read_audit
from locomo_assets.locomo.model import AuditError
from locomo_assets.locomo.parsing import parse_dataset, read_dataset
from locomo_assets_tests.conftest import SHARED_DATA
from locomo_assets_tests.locomo.factories import audit_entry, encoded, small_file, write_audit

DATASET = parse_dataset(encoded(small_file()), "small.json")


def test_faults_are_found_in_the_data_set(tmp_path: Path) -> None:
    path = write_audit(tmp_path / "audit.json", DATASET, {(0, 0): {}})
    audit = read_audit(path)
    assert audit.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    (fault,) = match_faults(audit, DATASET)
    assert (fault.conversation, fault.question_index, fault.category) == ("talk-1", 0, 4)
    assert fault.corrupts_score
    assert fault.correct_answer == "something else altogether"


def test_a_wrong_citation_leaves_the_gold_answer(tmp_path: Path) -> None:
    remark = {"error_type": "WRONG_CITATION", "correct_answer": "A kite (cited wrongly)"}
    path = write_audit(tmp_path / "audit.json", DATASET, {(0, 0): remark})
    (fault,) = match_faults(read_audit(path), DATASET)
    assert (fault.corrupts_score, fault.correct_answer) == (False, None)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (
            {"question": "What did Ada sell?"},
            r"its question is 'What did Ada sell\?', not 'What",
        ),
        ({"golden_answer": "A boat"}, "its gold answer is 'A boat', not 'A kite'"),
        ({"category": 1}, "its category is 1, not 4"),
        ({"cited_evidence": ["D1:2"]}, r"its evidence is \['D1:2'\], not \['D1:1'\]"),
        ({"correct_evidence": ["D9:1"]}, "its correct evidence 'D9:1' is not a turn of talk-1"),
        ({"question_id": "locomo_1_qa0"}, "the file has 1 conversations"),
        ({"question_id": "locomo_0_qa2"}, "talk-1 has 2 questions"),
        ({"question_id": "locomo_0_qa"}, "is not an id like locomo_0_qa1"),
    ],
)
def test_a_claim_that_does_not_match_the_data_set_is_refused(
    tmp_path: Path, other: dict[str, Any], why: str
) -> None:
    path = write_audit(tmp_path / "audit.json", DATASET, {(0, 0): other})
    with pytest.raises(AuditError, match=why) as caught:
        match_faults(read_audit(path), DATASET)
    assert str(caught.value).startswith(f"audit {path} does not fit data set small.json: 'locomo_")
    assert "\n" not in str(caught.value)


def test_a_repeated_fault_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    path.write_text(json.dumps([audit_entry(DATASET, 0, 0)] * 2))
    with pytest.raises(AuditError, match="is there twice"):
        match_faults(read_audit(str(path)), DATASET)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "Invalid JSON"),
        ("{}", "valid array"),
        ("[]", "names no fault"),
        ('[{"question_id": "locomo_0_qa0"}]', "fault 0, question: Field required"),
        (json.dumps([audit_entry(DATASET, 0, 0, error_type="ODD")]), "fault 0, error_type: Input"),
        (
            json.dumps([audit_entry(DATASET, 0, 0, golden_answer=7)]),
            "fault 0, golden_answer: Input",
        ),
    ],
)
def test_another_format_is_refused(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "audit.json"
    path.write_text(content)
    with pytest.raises(AuditError, match=why) as caught:
        read_audit(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_is_read_like_a_data_set(tmp_path: Path) -> None:
    path = write_audit(tmp_path / "audit.json", DATASET, {(0, 0): {}})
    with pytest.raises(AuditError, match=r"^audit .*: its SHA-256 is .*, not the expected"):
        read_audit(path, "0" * 64)
    with pytest.raises(AuditError, match=r"^audit .*none\.json: there is no such file"):
        read_audit(str(tmp_path / "none.json"))
    with pytest.raises(AuditError, match="needs a pinned SHA-256"):
        read_audit("https://example.org/audit.json")


@pytest.mark.real_data
def test_the_real_audit_fits_the_real_data_set(real_dataset: Path) -> None:
    path = SHARED_DATA / "locomo-audit-errors.json"
    if not path.exists():
        pytest.skip("the audit is not beside the project")
    faults = match_faults(read_audit(str(path)), read_dataset(str(real_dataset)))
    assert len(faults) == 156
    corrupting = [fault for fault in faults if fault.corrupts_score]
    assert Counter(fault.category for fault in corrupting) == {1: 28, 2: 26, 3: 9, 4: 36}
    assert Counter(fault.error_type for fault in corrupting) == {
        "HALLUCINATION": 33,
        "TEMPORAL_ERROR": 26,
        "ATTRIBUTION_ERROR": 24,
        "AMBIGUOUS": 13,
        "INCOMPLETE": 3,
    }
    assert all(fault.correct_answer for fault in corrupting)
