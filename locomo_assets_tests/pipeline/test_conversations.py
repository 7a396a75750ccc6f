"""The shape of backfills follows the setting; the code location keeps to it."""

import dagster as dg
import pytest

from locomo_assets.pipeline.assets.conversations import conversation_assets


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
