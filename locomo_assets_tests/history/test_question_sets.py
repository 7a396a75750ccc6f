"""The set of questions in a trend, the order of releases, and the clustered interval in SQL."""

import random
from datetime import UTC, datetime

import pytest

from locomo_assets.analysis.intervals import Cluster, clustered_mean
from locomo_assets_tests.history.factories import (
    QueriedHistory,
    answer,
    commit,
    commit_answers,
    commit_verdicts,
    judgement,
    lineage,
)


def measure(
    history: QueriedHistory, release: str, verdicts: dict[str, list[str]], mark: str = "a"
) -> None:
    """Conversation → verdicts on its questions from 0 on, of categories 1 to 5 in turn."""
    for name, each in verdicts.items():
        who = f"{mark}-{release}-{name}"
        commit_answers(history.store, lineage("answers", release, name), len(each), who)
        commit_verdicts(history.store, lineage("judgements", release, name), each, who)


def sets(history: QueriedHistory) -> dict[str, str]:
    return dict(history.rows("SELECT release, question_set FROM accuracy_by_release"))


def test_releases_that_were_asked_other_questions_are_lines_of_their_own(
    history: QueriedHistory,
) -> None:
    measure(history, "r1", {"conv-1": ["correct"] * 4, "conv-2": ["wrong"] * 4})
    measure(history, "r2", {"conv-1": ["wrong"] * 2})
    measure(history, "r3", {"conv-1": ["correct"] * 4, "conv-2": ["correct"] * 4})
    assert history.rows(
        "SELECT release, previous_release, accuracy_change, questions, conversations "
        "FROM accuracy_trend WHERE category IS NULL ORDER BY position"
    ) == [("r1", None, None, 8, 2), ("r2", None, None, 2, 1), ("r3", "r1", 0.5, 8, 2)]
    found = sets(history)
    assert found["r1"] == found["r3"] != found["r2"]
    assert len(found["r1"]) == 12
    assert history.rows("SELECT DISTINCT release_a, release_b FROM flips") == [("r1", "r3")]


def test_as_many_questions_of_other_conversations_are_another_set(history: QueriedHistory) -> None:
    measure(history, "r1", {"conv-1": ["correct"] * 4})
    measure(history, "r2", {"conv-2": ["correct"] * 4})
    assert len(set(sets(history).values())) == 2


def test_category_5_has_a_set_of_its_own(history: QueriedHistory) -> None:
    measure(history, "r1", {"conv-1": ["correct"] * 4})
    measure(history, "r2", {"conv-1": ["correct"] * 5})
    measure(history, "r3", {"conv-1": ["wrong"] * 5})
    assert len(set(sets(history).values())) == 1
    assert history.rows(
        "SELECT release, previous_release FROM accuracy_trend WHERE category = 5 ORDER BY position"
    ) == [("r2", None), ("r3", "r2")]


def test_questions_without_an_answer_belong_to_the_set(history: QueriedHistory) -> None:
    measure(history, "r1", {"conv-1": ["correct"] * 4})
    rows = [answer(n, "b", **({} if n else {"outcome": "unanswered"})) for n in range(4)]
    commit(history.store, lineage("answers", "r2"), {"answers": rows})
    commit(history.store, lineage("judgements", "r2"), {"judgements": [judgement(1, "wrong", "b")]})
    assert len(set(sets(history).values())) == 1


def test_a_release_that_is_measured_again_stays_in_its_place(history: QueriedHistory) -> None:
    for release in ("r1", "r2", "r3"):
        measure(history, release, {"conv-1": ["correct", "wrong"]})
    measure(history, "r1", {"conv-1": ["correct", "correct"]}, mark="again")
    assert history.rows(
        "SELECT release, accuracy, accuracy_change FROM accuracy_trend WHERE category IS NULL "
        "ORDER BY position"
    ) == [("r1", 1.0, None), ("r2", 0.5, -0.5), ("r3", 0.5, 0.0)]


def clustered(history: QueriedHistory, category: str = "IS NULL") -> tuple[float | None, ...]:
    (row,) = history.rows(
        "SELECT clustered_se, clustered_df, clustered_low, clustered_high FROM accuracy_cells "
        f"WHERE conversation IS NULL AND counts_in_score AND category {category}"
    )
    return row


@pytest.mark.parametrize("seed", range(4))
def test_the_clustered_interval_is_that_of_python(history: QueriedHistory, seed: int) -> None:
    dice = random.Random(seed)
    verdicts = {
        f"conv-{number}": dice.choices(
            ["correct", "wrong", "unscored"], [dice.random(), 0.3, 0.1], k=dice.randint(5, 60)
        )
        for number in range(dice.randint(2, 10))
    }
    measure(history, "r1", verdicts)
    for category, of in (("IS NULL", (0, 1, 2, 3)), ("= 3", (2,))):
        counted = [
            [one for n, one in enumerate(each) if n % 5 in of and one != "unscored"]
            for each in verdicts.values()
        ]
        mean = clustered_mean([Cluster(len(each), each.count("correct")) for each in counted])
        assert mean.interval is not None
        expected = (mean.standard_error, mean.degrees_of_freedom, *mean.interval)
        assert clustered(history, category) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "verdicts",
    [
        {"conv-1": ["correct", "wrong"]},
        {"conv-1": ["correct", "wrong"] * 2, "conv-2": ["wrong", "correct"]},
        {"conv-1": ["correct"], "conv-2": ["unscored"]},
        {"conv-1": ["unscored"], "conv-2": ["unscored"]},
    ],
)
def test_without_a_spread_between_conversations_there_is_none(
    history: QueriedHistory, verdicts: dict[str, list[str]]
) -> None:
    measure(history, "r1", verdicts)
    assert clustered(history) == (None, None, None, None)


def test_a_feed_orders_releases_whenever_they_were_measured(history: QueriedHistory) -> None:
    for release, year in (("new", 2023), ("old", 2021)):
        measure(history, release, {"conv-1": ["correct"]})
        row = {"source": "person", "published_at": datetime(year, 1, 1, tzinfo=UTC)}
        commit(history.store, lineage("releases", release), {"releases": [row]})
    assert history.rows(
        "SELECT release, previous_release FROM accuracy_trend WHERE category IS NULL "
        "ORDER BY position"
    ) == [("old", None), ("new", "old")]
