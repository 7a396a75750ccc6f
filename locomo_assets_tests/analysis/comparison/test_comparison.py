"""Comparisons read from a real database: what counts, what is refused, what is noted."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from locomo_assets.analysis.checks import CheckSeverity, not_worse
from locomo_assets.analysis.comparison import Comparison
from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.series import NotComparableError, UnknownReleaseError
from locomo_assets.history.database import query, refresh
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.history.factories import commit, lineage

CONVERSATIONS = ("conv-1", "conv-2", "conv-3")
LOW = {"conv-1": "--------+-" * 4, "conv-2": "---+----+-" * 4, "conv-3": "-+-+----+-" * 4}
HIGH = {"conv-1": "+++++++++-" * 4, "conv-2": "++-++++++-" * 4, "conv-3": "++++-+++++" * 4}


@pytest.fixture
def history(tmp_path: Path) -> HistoryBuilder:
    made = HistoryBuilder(tmp_path)
    made.dataset(CONVERSATIONS, 40)
    return made


def test_overall_is_over_categories_1_to_4_and_each_category_stands_apart(
    history: HistoryBuilder,
) -> None:
    history.measure("r1", LOW)
    history.measure("r2", HIGH)
    found = history.compare("r1", "r2")
    # of ten questions the fifth and tenth are of category 5; the rest gains 7, 5, and 6 of 8 - 3
    paired = found.overall.paired
    assert (paired.questions, paired.conversations) == (96, 3)
    assert (paired.correct_a, paired.correct_b) == (24, 92)
    assert (paired.gains, paired.losses) == (68, 0)
    reference = ttest_1samp([7 / 8, 5 / 8, 5 / 8], 0.0)
    assert paired.clustered_p == pytest.approx(float(reference.pvalue))
    assert found.overall.verdict.word == Conclusion.BETTER
    assert [(one.category, one.name, one.vendor_name, one.paired.questions)
            for one in found.categories] == [
        (1, "multi-hop", "single-hop", 24),
        (2, "temporal", "temporal", 24),
        (3, "open-domain", "multi-hop", 24),
        (4, "single-hop", "open-domain", 24),
        (5, "adversarial", "adversarial", 24),
    ]  # fmt: skip
    for one in found.categories:
        assert one.p_holm is None or one.p_holm >= (one.paired.deciding_p or 0.0)
    assert len(found.flips) == sum(one.paired.gains + one.paired.losses for one in found.categories)
    json.dumps(asdict(found))


def test_the_other_way_round_only_the_signs_turn(history: HistoryBuilder) -> None:
    history.measure("r1", LOW)
    history.measure("r1", {**LOW, "conv-1": "+" * 40})
    history.measure("r2", {**HIGH, "conv-2": "---+----?-" * 4})
    there = history.compare("r1", "r2", max_error_percent=100)
    back = history.compare("r2", "r1", max_error_percent=100)
    assert (back.a, back.b) == (there.b, there.a)
    assert sorted(back.notes) == sorted(there.notes)
    opposite = {Conclusion.BETTER: Conclusion.WORSE, Conclusion.WORSE: Conclusion.BETTER}
    for one, other in zip(
        (there.overall, *there.categories), (back.overall, *back.categories), strict=True
    ):
        assert (one.paired.gains, one.paired.losses) == (other.paired.losses, other.paired.gains)
        assert one.paired.difference == pytest.approx(-(other.paired.difference or 0.0))
        assert one.paired.standard_error == pytest.approx(other.paired.standard_error)
        assert one.p_holm == pytest.approx(other.p_holm)
        assert (one.noise.a, one.noise.b) == (other.noise.b, other.noise.a)
        assert one.noise.floor == other.noise.floor
        assert one.verdict.word == opposite.get(other.verdict.word, other.verdict.word)
    assert there.overall.verdict.word != back.overall.verdict.word or (
        there.overall.verdict.word == Conclusion.CANNOT_TELL
    )
    turned = [
        (one.conversation, one.question_index, {"gained": "lost", "lost": "gained"}[one.flip],
         one.answer_b, one.answer_a, one.evidence) for one in back.flips
    ]  # fmt: skip
    assert [
        (one.conversation, one.question_index, one.flip, one.answer_a, one.answer_b, one.evidence)
        for one in there.flips
    ] == turned


def refused(history: HistoryBuilder, a: str, b: str, **options: object) -> str:
    with pytest.raises(NotComparableError) as caught:
        history.compare(a, b, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_different_questions_are_refused_unless_the_intersection_is_asked_for(
    history: HistoryBuilder,
) -> None:
    history.measure("r1", {"conv-1": "+-+-+-", "conv-2": "++++"})
    history.measure("r2", {"conv-1": "++++++++", "conv-3": "----"})
    line = refused(history, "r1", "r2")
    # category 5 is in both
    assert "4 only r1, 6 only r2, 6 both" in line
    assert "--intersection" in line
    found = history.compare("r1", "r2", intersection=True)
    assert (found.a.asked, found.a.only_here) == (10, 4)
    assert (found.b.asked, found.b.only_here) == (12, 6)
    assert found.overall.paired.questions == 5
    assert "left out: 4 of 10 questions only r1 has" in found.notes
    assert "left out: 6 of 12 questions only r2 has" in found.notes


def test_category_5_of_one_side_alone_is_left_out_and_noted(history: HistoryBuilder) -> None:
    history.measure("r1", {"conv-1": "++++"})
    history.measure("r2", {"conv-1": "++--+"})
    found = history.compare("r1", "r2")
    assert found.overall.paired.questions == 4
    assert found.b.asked == 4
    assert any("category 5" in note and "r2" in note for note in found.notes)


def test_other_judges_are_refused_always(history: HistoryBuilder) -> None:
    history.measure("r1", LOW, judge="strict")
    history.measure("r2", LOW, judge="lexical")
    for intersection in (False, True):
        line = refused(history, "r1", "r2", intersection=intersection)
        assert "r1 has strict" in line
        assert "r2 has lexical" in line


def test_of_two_common_judges_one_is_taken_and_named(history: HistoryBuilder) -> None:
    history.measure("r1", {"conv-1": "++"})
    history.judge_again("r1", "conv-1", "--", "strict")
    history.measure("r2", {"conv-1": "++"})
    history.judge_again("r2", "conv-1", "-+", "strict")
    found = history.compare("r1", "r2")
    other = {"lexical": "strict", "strict": "lexical"}[found.judge]
    assert any(found.judge in note and other in note for note in found.notes)
    assert history.compare("r1", "r2", judge="strict").overall.paired.gains == 1
    assert history.compare("r1", "r2", judge="lexical").overall.paired.gains == 0
    assert "r1 has lexical, strict" in refused(history, "r1", "r2", judge="none")


def test_other_protocols_and_data_sets_are_refused(history: HistoryBuilder) -> None:
    history.measure("r1", {"conv-1": "+-+-"})
    history.measure("r2", {"conv-1": "+-+-"}, question_protocol="published")
    line = refused(history, "r1", "r2")
    assert "isolated" in line
    assert "published" in line
    history.dataset(("conv-1",), 3, "e" * 64)
    history.measure("r3", {"conv-1": "++-"}, dataset_sha256="e" * 64)
    line = refused(history, "r1", "r3")
    assert "dddddddddddd" in line
    assert "eeeeeeeeeeee" in line
    found = history.compare("r1", "r3", intersection=True)
    assert found.overall.paired.questions == 3
    assert (found.overall.paired.gains, found.overall.paired.losses) == (1, 1)
    assert len(found.flips) == 2
    assert any("data sets differ" in note for note in found.notes)


def test_a_protocol_without_memory_is_compared_only_when_asked_for(history: HistoryBuilder) -> None:
    for release, signs in (("r1", "++--"), ("r2", "+++-")):
        history.measure(release, {"conv-1": signs})
        history.measure(release, {"conv-1": "----"}, question_protocol="no-memory")
    assert history.compare("r1", "r2").question_protocol == "isolated"
    found = history.compare("r1", "r2", question_protocol="no-memory")
    assert found.overall.paired.correct_b == 0


def test_unknown_release_names_the_known(history: HistoryBuilder) -> None:
    history.measure("r1", {"conv-1": "+"})
    with pytest.raises(UnknownReleaseError, match=r"release r9: .* choose one of: r1$"):
        history.compare("r1", "r9")
    assert "itself" in refused(history, "r1", "r1")


def test_what_has_no_verdict_is_left_out_and_counted(history: HistoryBuilder) -> None:
    history.measure("r1", {"conv-1": "++??", "conv-2": "++-+"})
    history.measure("r2", {"conv-1": "+-?+", "conv-2": "++-?"})
    found = history.compare("r1", "r2")
    assert (found.a.not_scored, found.b.not_scored) == (2, 2)
    assert found.overall.bounds
    # one is lost for certain; of the three that one side or both lack, two can be lost, two won
    assert found.overall.bounds.low == pytest.approx(-3 / 8)
    assert found.overall.bounds.high == pytest.approx(1 / 8)
    assert (found.overall.paired.questions, found.overall.paired.losses) == (5, 1)
    assert any("2 questions without a verdict in r1" in note for note in found.notes)


def test_a_repeat_counts_with_the_mean_and_only_under_equal_conditions(
    history: HistoryBuilder,
) -> None:
    history.measure("r1", {"conv-1": "++--" * 5, "conv-2": "++--" * 5}, llm_model="other")
    history.measure("r1", {"conv-1": "++++" * 5, "conv-2": "++++" * 5})
    history.measure("r2", {"conv-1": "++++" * 5, "conv-2": "++++" * 5})
    once = history.compare("r1", "r2").overall
    assert (once.noise.floor, once.noise.exceeded) == (None, None)
    assert once.paired.accuracy_a == 1.0
    history.measure("r1", {"conv-1": "++++" * 5, "conv-2": "+++-" * 5})
    found = history.compare("r1", "r2").overall
    # of the 16 questions of categories 1-4 in conv-2 each fourth flips
    assert found.noise.a.repeats == 2
    assert found.noise.a.flip_rate == 4 / 32
    assert found.noise.a.remembering.rate == 4 / 32
    assert found.noise.a.largest_difference == 4 / 32
    assert found.noise.floor == 4 / 32  # more than 1.96 · sqrt(4 / 32 / 32)
    assert found.paired.accuracy_a == pytest.approx(1 - 2 / 32)
    assert found.paired.difference == pytest.approx(2 / 32)
    assert (found.paired.correct_a, found.paired.gains) == (28, 4)  # of the newest
    _, repeats = query(
        history.database_path,
        "SELECT repeat, scored, correct FROM accuracy_by_repeat WHERE release = 'r1' ORDER BY 1",
    )
    assert repeats == [(1, 32, 28), (2, 32, 32)]


def test_a_repeat_s_accuracy_has_bounds(history: HistoryBuilder) -> None:
    history.measure("r1", {"conv-1": "+!?-", "conv-2": "+++-"})
    refresh(history.store, history.database_path)
    _, found = query(
        history.database_path,
        "SELECT repeat, questions, scored, accuracy, accuracy_if_rest_wrong, "
        "accuracy_if_rest_right FROM accuracy_by_repeat WHERE release = 'r1'",
    )
    assert found == [(1, 8, 6, 4 / 6, 4 / 8, 6 / 8)]


def test_a_question_that_failed_and_was_asked_again_is_not_repeated(
    history: HistoryBuilder,
) -> None:
    history.measure("r1", {"conv-1": "+!++", "conv-2": "++++"})
    history.measure("r1", {"conv-1": "+-++", "conv-2": "++++"})
    history.measure("r2", {"conv-1": "++++", "conv-2": "++++"})
    found = history.compare("r1", "r2").overall
    assert found.bounds is None
    assert found.paired.accuracy_a == 7 / 8


def test_a_question_silent_in_the_newest_repeat_counts_by_the_others_within_bounds(
    history: HistoryBuilder,
) -> None:
    history.measure("r1", {"conv-1": "++++", "conv-2": "++++"})
    history.measure("r2", {"conv-1": "++++", "conv-2": "++++"})
    history.measure("r2", {"conv-1": "+!++", "conv-2": "++++"})
    found = history.compare("r1", "r2", max_error_percent=100).overall
    assert found.paired.difference == 0.0
    assert found.bounds
    assert found.bounds.low == pytest.approx(-0.5 / 8)
    assert found.bounds.high == 0.0


def test_another_judging_of_the_same_answer_shows_the_judges_noise(
    history: HistoryBuilder,
) -> None:
    history.measure("r1", {"conv-1": "++++"})
    history.judge_again("r1", "conv-1", "+-++", "lexical")
    history.measure("r2", {"conv-1": "++++"})
    noise = history.compare("r1", "r2").overall.noise
    assert (noise.a.judging.pairs, noise.a.judging.rate) == (4, 0.25)
    assert (noise.b.judging.pairs, noise.b.judging.rate) == (0, None)


def test_the_first_repeat_is_what_is_current(history: HistoryBuilder) -> None:
    for signs in ("++-", "-+-", "--+"):
        history.measure("r1", {"conv-1": signs})
    refresh(history.store, history.database_path)
    current = "SELECT question_index, verdict, answer_id FROM {} ORDER BY 1"
    path = history.database_path
    assert (
        query(path, current.format("(FROM repeats WHERE repeat = 1)"))[1]
        == query(path, current.format("current_judgements"))[1]
    )
    assert query(path, "SELECT count(*), max(repeat) FROM repeats")[1] == [(9, 3)]


def test_repeats_on_one_memory_are_noted_as_repeats_of_answering(history: HistoryBuilder) -> None:
    for release in ("r1", "r2"):
        for signs in ("++-+", "+-++"):
            history.measure(release, {"conv-1": signs}, ingestion="one")
    notes = history.compare("r1", "r2").notes
    assert sum("share a memory" in note for note in notes) == 2


def test_a_flip_shows_all_there_is_to_see(history: HistoryBuilder) -> None:
    commit(
        history.store,
        lineage("locomo_dataset", run_id="again"),
        {"turns": [{"conversation": "conv-1", "dia_id": "D1:1", "speaker": "Ann", "text": "Hi"}]},
    )
    operations = [{"ingestion_id": "seen", "dia_id": "D1:1", "memory_ids": ["m1"]}]
    commit(
        history.store,
        lineage("ingested_memories", "r2", "conv-1"),
        {"memory_operations": operations},
    )
    history.measure("r1", {"conv-1": "-"})
    memories = [
        {"rank": 2, "memory_id": "m2", "memory": "second", "score": 0.5},
        {"rank": 1, "memory_id": "m1", "memory": "first", "score": 0.9},
    ]
    history.measure("r2", {"conv-1": "+"}, ingestion="seen", retrieved=memories)
    (flip,) = history.compare("r1", "r2").flips
    assert (flip.flip, flip.question, flip.gold_answer) == ("gained", "Question 0?", "gold 0")
    assert (flip.answer_a, flip.answer_b) == ("answer r1-1-conv-1 0", "answer r2-2-conv-1 0")
    assert (flip.reasoning_a, flip.reasoning_b) == ("so it is", "so it is")
    assert [(one.dia_id, one.speaker, one.text) for one in flip.evidence] == [("D1:1", "Ann", "Hi")]
    assert flip.retrieved_a == ()
    assert [(one.rank, one.memory, one.dia_ids) for one in flip.retrieved_b] == [
        (1, "first", ("D1:1",)),
        (2, "second", ()),
    ]


@pytest.mark.parametrize(("a", "b", "passed"), [("r1", "r2", True), ("r2", "r1", False)])
def test_a_release_below_the_one_before_fails(
    history: HistoryBuilder, a: str, b: str, passed: bool
) -> None:
    history.measure("r1", LOW)
    history.measure("r2", HIGH)
    found = not_worse(history.compare(a, b))
    assert found.passed is passed
    assert found.numbers["told"] is True
    assert passed or found.severity is CheckSeverity.ERROR
    assert f"{b} not worse than {a}" in found.expected
    assert ("better" if passed else "worse") in found.actual


def test_nothing_changed_passes(history: HistoryBuilder) -> None:
    history.measure("r1", LOW)
    history.measure("r2", LOW)
    found: Comparison = history.compare("r1", "r2")
    assert found.overall.verdict.word == Conclusion.UNCHANGED
    assert not_worse(found).passed


def ten(signs: str) -> dict[str, str]:
    """The same signs, five at a time, in ten conversations; each fifth is of category 5."""
    return {f"conv-{n}": signs for n in range(10)}


@pytest.fixture
def large(tmp_path: Path) -> HistoryBuilder:
    made = HistoryBuilder(tmp_path)
    made.dataset([f"conv-{n}" for n in range(10)], 100)
    return made


def test_what_could_not_be_told_warns_with_the_drop_it_would_have_seen(
    large: HistoryBuilder,
) -> None:
    right = "++++-" * 19
    odd = [n % 2 == 1 for n in range(10)]
    large.measure("r1", {f"conv-{n}": ("-+++-" if o else "++++-") + right
                         for n, o in enumerate(odd)})  # fmt: skip
    large.measure("r2", {f"conv-{n}": ("++++-" if o else "--++-") + right
                         for n, o in enumerate(odd)})  # fmt: skip
    found = not_worse(large.compare("r1", "r2"))
    assert (found.passed, found.severity) == (False, CheckSeverity.WARN)
    assert "could not be told" in found.actual
    assert "would have been seen in 80 of 100" in found.actual
    assert found.numbers["told"] is False
    assert 1 < float(found.numbers["smallest_drop_seen_points"]) < 3


def test_right_answers_that_go_silent_are_not_unchanged(large: HistoryBuilder) -> None:
    large.measure("r1", ten("++++-" * 20))
    large.measure("r2", ten("!+++-" + "++++-" * 19))
    found = large.compare("r1", "r2")
    assert found.valid
    assert found.overall.verdict.word == Conclusion.CANNOT_TELL
    assert "because 10 questions went unanswered" in found.headline
    assert found.overall.bounds
    assert found.overall.bounds.low == pytest.approx(-10 / 800)
    assert not not_worse(found).passed


def test_wrong_answers_that_go_silent_are_no_gain(large: HistoryBuilder) -> None:
    large.measure("r1", ten("-+++-" + "++++-" * 19))
    large.measure("r2", ten("!+++-" + "++++-" * 19))
    found = large.compare("r1", "r2").overall
    assert found.paired.difference == 0
    assert found.bounds
    assert found.bounds.low == 0.0
    assert found.bounds.high == pytest.approx(10 / 800)


def test_a_decision_stands_where_few_questions_are_missing(large: HistoryBuilder) -> None:
    uneven = {name: "-+++-" * (n + 5) + "++++-" * (15 - n) for n, name in enumerate(ten(""))}
    large.measure("r1", uneven)
    large.measure("r2", {**ten("++++-" * 20), "conv-0": "!+++-" + "++++-" * 19})
    found = large.compare("r1", "r2")
    assert found.overall.bounds
    assert found.overall.verdict.word == Conclusion.BETTER


def test_too_many_silent_questions_make_it_invalid(large: HistoryBuilder) -> None:
    large.measure("r1", ten("-+++-" * 20))
    large.measure("r2", ten("!+++-" * 20))
    found = large.compare("r1", "r2")
    assert (found.valid, found.a.valid, found.b.valid) == (False, True, False)
    assert found.headline.startswith("Invalid: 25.00 % of the questions of r2 have no verdict")
    assert {one.verdict.word for one in found.categories} == {Conclusion.INVALID}
    assert not not_worse(found).passed
    assert large.compare("r1", "r2", max_error_percent=25).valid


def test_few_conversations_are_told_to_measure_all(large: HistoryBuilder) -> None:
    before = {"conv-0": "-+++-" + "++++-" * 19, "conv-1": "--++-" + "++++-" * 19}
    large.measure("r1", before)
    large.measure("r2", dict.fromkeys(before, "++++-" * 20))
    found = large.compare("r1", "r2")
    assert found.overall.verdict.word == Conclusion.CANNOT_TELL
    assert found.headline.endswith("because there are only 2 conversations: measure all 10.")


def test_ten_repeats_see_what_one_does_not(large: HistoryBuilder) -> None:
    dice = np.random.default_rng(6)

    def run(rate: float) -> dict[str, str]:
        return {
            name: "".join("+" if dice.random() < rate else "-" for _ in range(100))
            for name in ten("")
        }

    for _ in range(8):
        large.measure("r1", run(0.70))
        large.measure("r2", run(0.76))
    found = large.compare("r1", "r2")
    assert found.overall.noise.a.repeats == 8
    assert found.overall.verdict.word == Conclusion.BETTER
    assert "measured 8 times" in found.interval_contains
    assert "what moves whole runs" in found.interval_contains


def test_the_margin_is_the_readers(large: HistoryBuilder) -> None:
    large.measure("r1", ten("-+++-" + "++++-" * 19))
    large.measure("r2", {**ten("-+++-" + "++++-" * 19), "conv-3": "++++-" * 20})
    assert large.compare("r1", "r2").overall.verdict.word == Conclusion.EQUIVALENT
    narrow = large.compare("r1", "r2", margin_points=0.01)
    assert narrow.overall.verdict.word == Conclusion.CANNOT_TELL
