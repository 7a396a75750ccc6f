"""What a label may be; what Dagster's dialog refuses is refused too."""

import pytest
from dagster._core.definitions.partitions.utils.base import INVALID_PARTITION_SUBSTRINGS
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.errors import IMPOSSIBLE
from locomo_assets.history.provenance import path_label
from locomo_assets.labels import BadLabelError, bad_labels, check_label, label_fault

GOOD = ["r1", "2026-11-23", "v0.0.10", "0.1..2", "a_b", "50%", "a$", "5$5", "ü", "語", "🙂", "<b>"]
DIALOG = [",", "[", "]", " "]
BAD = [
    "", ".", "..", "...", "a...b", "sl/ash", "back\\slash", "pi|pe", "st*ar", " a", "a ", "a b",
    "a\u00a0b", "a\u2028b", "x" * 101, "x" * 150, "語" * 67, "a\x1bb", "a\x00", "a\x7f", "a\x85",
    "\ud800", "a\u202eb", "a\u200bb", "a\ufeff", "-x", "--release",
]  # fmt: skip
UNEXPANDED = ["$TAG_$DATE", "${TAG}", "v-$(date)", "r-$CI_COMMIT_SHA"]


@pytest.mark.parametrize("label", GOOD)
def test_good(label: str) -> None:
    check_label(label)


@pytest.mark.parametrize("label", [*BAD, *UNEXPANDED])
def test_bad_is_one_line_that_can_be_printed(label: str) -> None:
    with pytest.raises(BadLabelError) as caught:
        check_label(label)
    text = str(caught.value)
    assert text.isprintable()
    assert text.startswith("release '")
    assert caught.value.exit_code == IMPOSSIBLE


@pytest.mark.parametrize("sign", [*INVALID_PARTITION_SUBSTRINGS, *DIALOG])
def test_what_dagster_refuses_is_refused(sign: str) -> None:
    assert label_fault(f"a{sign}b") is not None


@pytest.mark.parametrize("label", UNEXPANDED)
def test_a_variable_without_its_value_is_named(label: str) -> None:
    assert "looks like a variable that was not replaced" in str(label_fault(label))


@given(st.text())
def test_what_passes_is_one_word_of_a_path_and_a_command(label: str) -> None:
    if label_fault(label) is not None:
        assert label in bad_labels([label])
        return
    assert label.isprintable()
    assert label == label.strip() != ""
    assert label.split() == [label]
    assert len(label.encode()) <= 200
    assert "/" not in path_label(label)
    assert len(path_label(label)) < 200
