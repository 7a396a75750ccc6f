"""The whole graph on the packaged sample through the stand-in, in real Dagster runs."""

from pathlib import Path

import dagster as dg
import pytest

from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.pipeline.launch import BadRequestError, Launch, LaunchError, launch, prepare_home
from locomo_assets.pipeline.partitions import CONVERSATION, ranges
from locomo_assets.runs import runner
from locomo_assets.runs.ahead import OnSaved
from locomo_assets.runs.context import Bench, Order
from locomo_assets.runs.releases import BadLabelError
from locomo_assets.runs.stages import StageReport
from locomo_assets.services import Workplace
from locomo_assets.settings import read_settings


@pytest.fixture
def workplace(home: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    return Workplace(read_settings())


def _count(workplace: Workplace, query: str) -> list[tuple[object, ...]]:
    return database.query(workplace.settings.lens_path, query)[1]


def test_sample_from_file_to_verdicts(workplace: Workplace) -> None:
    launch(Launch(release="r1"), workplace)
    [(questions, right_kind)] = _count(
        workplace,
        "SELECT count(*), bool_and(system = 'standin' AND judge_system = 'lexical') "
        "FROM current_judgements WHERE release = 'r1'",
    )
    [(scored,)] = _count(workplace, "SELECT count(*) FROM questions WHERE category <> 5")
    assert questions == scored
    assert right_kind
    [(turns,)] = _count(workplace, "SELECT count(*) FROM turns")
    assert _count(
        workplace, "SELECT count(DISTINCT dia_id || conversation) FROM ingested_turns"
    ) == [(turns,)]
    with dg.DagsterInstance.get() as instance:
        for asset in ("ingested_memories", "answers", "judgements"):
            assert instance.get_materialized_partitions(dg.AssetKey(asset)) == {
                "sample-1|r1",
                "sample-2|r1",
            }
        metrics = instance.get_latest_materialization_event(dg.AssetKey("accuracy_metrics"))
        assert metrics is not None
        assert metrics.asset_materialization is not None
        assert metrics.asset_materialization.metadata["questions"].value == questions


def test_second_launch_pays_for_nothing_and_force_pays_again(workplace: Workplace) -> None:
    launch(Launch(release="r1", conversations=["sample-1"], questions=4), workplace)
    before = _count(workplace, "SELECT count(*) FROM calls WHERE service = 'backboard'")
    launch(Launch(release="r1", conversations=["sample-1"], questions=4), workplace)
    assert _count(workplace, "SELECT count(*) FROM calls WHERE service = 'backboard'") == before
    launch(Launch(release="r1", conversations=["sample-1"], questions=4, force=True), workplace)
    assert _count(workplace, "SELECT count(*) FROM calls WHERE service = 'backboard'") > before
    assert _count(workplace, "SELECT count(*) FROM current_judgements") == [(4,)]


def test_more_questions_later_ask_only_the_rest(workplace: Workplace) -> None:
    launch(Launch(release="r1", conversations=["sample-2"], questions=3), workplace)
    launch(Launch(release="r1", conversations=["sample-2"], questions=5), workplace)
    assert _count(workplace, "SELECT count(*) FROM answers") == [(5,)]
    assert _count(workplace, "SELECT count(*) FROM ingestions") == [(1,)]


def test_adversarial_questions_stay_apart(workplace: Workplace) -> None:
    launch(Launch(release="r1", adversarial=True), workplace)
    [(asked, all_questions)] = _count(
        workplace,
        "SELECT (SELECT count(*) FROM current_judgements), (SELECT count(*) FROM questions)",
    )
    assert asked == all_questions
    [(scored, regular)] = _count(
        workplace,
        "SELECT (SELECT questions FROM accuracy_by_release), "
        "(SELECT count(*) FROM questions WHERE category <> 5)",
    )
    assert scored == regular


def test_published_protocol_asks_a_copy(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "published")
    place = Workplace(read_settings())
    launch(Launch(release="r1", conversations=["sample-1"], questions=3), place)
    [(threads, modes)] = _count(
        place, "SELECT count(DISTINCT thread_id), max(memory_mode) FROM answers"
    )
    assert (threads, modes) == (1, "Auto")
    [(clones,)] = _count(
        place, "SELECT count(*) FROM calls WHERE endpoint = 'POST /assistants/{id}/clone'"
    )
    assert clones == 1


def test_requests_to_the_standin_cost_nothing(workplace: Workplace) -> None:
    launch(Launch(release="r1", conversations=["sample-1"], questions=2), workplace)
    [(priced, dearest)] = _count(
        workplace, "SELECT count(cost_usd), max(cost_usd) FROM calls WHERE output_tokens > 0"
    )
    assert priced
    assert dearest == 0


def test_one_conversation_fails_alone(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = runner.STAGES["answers"]

    async def fails(bench: Bench, order: Order, on_saved: OnSaved) -> StageReport:
        if order.conversation == "sample-1":
            raise LocomoError("the service lost sample-1")
        return await whole(bench, order, on_saved)

    monkeypatch.setitem(runner.STAGES, "answers", fails)
    with pytest.raises(LaunchError, match="1 of 2 conversations failed: sample-1 at answers"):
        launch(Launch(release="r1"), workplace)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("judgements")) == {"sample-2|r1"}
        assert instance.get_materialized_partitions(dg.AssetKey("ingested_memories")) == {
            "sample-1|r1",
            "sample-2|r1",
        }
    monkeypatch.setitem(runner.STAGES, "answers", whole)
    launch(Launch(release="r1"), workplace)
    assert _count(workplace, "SELECT count(*) FROM ingestions") == [(2,)]


@pytest.mark.parametrize("label", ["", "a b", "r|1", "x" * 101, "a,b"])
def test_bad_release_label(workplace: Workplace, label: str) -> None:
    with pytest.raises(BadLabelError, match="release"):
        launch(Launch(release=label), workplace)


def test_unknown_conversation(workplace: Workplace) -> None:
    with pytest.raises(BadRequestError, match="conversation conv-99: not in the data set"):
        launch(Launch(release="r1", conversations=["conv-99"]), workplace)


def test_bad_dataset_is_one_line(workplace: Workplace, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(LaunchError) as caught:
        launch(Launch(release="r1", dataset=str(bad)), workplace)
    assert "bad.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_conversations_follow_the_data_set(workplace: Workplace) -> None:
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(CONVERSATION, ["conv-of-another-set"])
        launch(Launch(release="r1", conversations=["sample-1"], questions=1), workplace)
        assert instance.get_dynamic_partitions(CONVERSATION) == ["sample-1", "sample-2"]


def test_ranges_cover_just_what_is_wanted() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(CONVERSATION, ["a", "b", "c", "d"])
        assert ranges(instance, ["a", "b", "d"]) == [("a", "b"), ("d", "d")]
        assert ranges(instance, ["c"]) == [("c", "c")]


@pytest.mark.real_data
def test_a_real_conversation(workplace: Workplace, real_dataset: Path) -> None:
    launch(Launch(release="r1", dataset=str(real_dataset), conversations=["conv-30"]), workplace)
    assert _count(
        workplace,
        "SELECT (SELECT count(*) FROM turns), (SELECT count(*) FROM questions), "
        "(SELECT count(*) FROM ingested_turns), (SELECT count(*) FROM current_judgements)",
    ) == [(5882, 1986, 369, 81)]
    categories = "SELECT category, count(*) FROM questions GROUP BY ALL ORDER BY ALL"
    assert _count(workplace, categories) == [(1, 282), (2, 321), (3, 96), (4, 841), (5, 446)]
