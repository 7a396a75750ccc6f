"""The shape of backfills follows the setting; the code location keeps to it."""

import dagster as dg
import pytest

from locomo_assets.backboard.transport import SERVICE
from locomo_assets.completions.asker import COMPLETIONS
from locomo_assets.pipeline.assets.conversations import MEASUREMENT_POOL, conversation_assets
from locomo_assets.services import Services
from locomo_assets.settings import read_settings


@pytest.mark.parametrize(("setting", "per_run"), [("all", None), ("one", 1)])
def test_partitions_per_run(setting: str, per_run: int | None) -> None:
    policy = conversation_assets(setting).backfill_policy
    assert policy is not None
    assert policy.max_partitions_per_run == per_run


def test_stages_are_assets_in_order() -> None:
    assets = conversation_assets("all")
    deps = {key.to_user_string(): assets.asset_deps[key] for key in assets.keys}
    assert deps == {
        "ingested_memories": {dg.AssetKey("locomo_dataset")},
        "answers": {dg.AssetKey("ingested_memories")},
        "judgements": {dg.AssetKey("answers")},
    }


def test_one_run_at_a_time_queues_in_a_pool_and_several_share_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert conversation_assets("all").node_def.pools == {MEASUREMENT_POOL}
    assert conversation_assets("one", 5).node_def.pools == set()
    monkeypatch.setenv("LOCOMO_RUNS_AT_ONCE", "5")
    monkeypatch.setenv("LOCOMO_MAX_VERDICTS_IN_FLIGHT", "9")
    limits = Services(read_settings()).limits()
    assert (limits.limit(SERVICE), limits.limit(COMPLETIONS)) == (3, 1)
