"""Which series of two releases are compared, where they have several."""

from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.comparison.series import NotComparableError
from locomo_assets.history.database import refresh
from locomo_assets_tests.analysis.factories import HistoryBuilder

VARIANT = "isolated, memory pro"


@pytest.fixture
def history(tmp_path: Path) -> HistoryBuilder:
    """Of each release first the published configuration is measured, then a better variant."""
    built = HistoryBuilder(tmp_path)
    built.dataset(["conv-1", "conv-2"], 4)
    for release in ("r1", "r2"):
        for protocol, signs in (("isolated", "+--+"), (VARIANT, "++++")):
            built.measure(release, {"conv-1": signs, "conv-2": signs}, question_protocol=protocol)
    return built


def test_a_variant_is_never_compared_in_the_published_configurations_place(
    history: HistoryBuilder,
) -> None:
    found = history.compare("r1", "r2")
    assert found.question_protocol == "isolated"
    assert any(VARIANT in note for note in found.notes)


def test_a_variant_is_compared_where_it_is_asked_for(history: HistoryBuilder) -> None:
    assert history.compare("r1", "r2", question_protocol=VARIANT).question_protocol == VARIANT


def test_the_published_configuration_heads_a_release(history: HistoryBuilder) -> None:
    refresh(history.store, history.database_path)
    rows = by_release(history.database_path, "r2", max_error_percent=2.0)
    assert [row.question_protocol for row in rows] == ["isolated", VARIANT]


def test_names_with_a_comma_are_told_apart(history: HistoryBuilder) -> None:
    history.measure("r3", {"conv-1": "++++"}, question_protocol="published")
    with pytest.raises(NotComparableError, match=f"r1 has 'isolated', '{VARIANT}'; r3 has publ"):
        history.compare("r1", "r3")
