"""Ours and others': told apart by the whole name, chosen by age and release, deleted alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from locomo_assets.backboard.models import Assistant
from locomo_assets.backboard.remote import (
    OwnAssistant,
    chosen,
    delete_own,
    list_own,
    own_assistant,
)
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.backboard.clients import KEY, quick_client

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OURS = "LoCoMo Test Assistant 0123abcd conv-26 2026-11-23"
CLONE = "LoCoMo Test Assistant 0123abcd clone"
CLONE_OF_RELEASE = f"{OURS} clone"
OTHERS = (
    "LoCoMo Test Assistant 0123abcd",
    "LoCoMo Test Assistant 0123ABCD conv-26 r1",
    "LoCoMo Test Assistant 0123abcde conv-26 r1",
    "LoCoMo Test Assistant 0123abcd conv-26",
    "LoCoMo Test Assistant 0123abcd conv-26 r1 kept",
    "LoCoMo Test Assistant 0123abcd clone of mine",
    "My LoCoMo Test Assistant 0123abcd conv-26 r1",
    "LoCoMo Test Assistant 0123abcd conv-26 r1\n",
    "Support bot",
    "",
    None,
)


def assistant(name: str | None) -> Assistant:
    return Assistant("a1", name, NOW)


def own(name: str, release: str | None, days: float | None) -> OwnAssistant:
    made = None if days is None else NOW - timedelta(days=days)
    return OwnAssistant(name, name, "conv-26", release, made)


def test_names_that_runs_give() -> None:
    found = own_assistant(assistant(OURS))
    assert found == OwnAssistant("a1", OURS, "conv-26", "2026-11-23", NOW)
    newer = own_assistant(assistant(CLONE_OF_RELEASE))
    assert newer == OwnAssistant("a1", CLONE_OF_RELEASE, "conv-26", "2026-11-23", NOW)
    clone = own_assistant(assistant(CLONE))
    assert clone == OwnAssistant("a1", CLONE, None, None, NOW)


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_name_is_not_ours(name: str | None) -> None:
    assert own_assistant(assistant(name)) is None


def test_choice_by_age_and_release_oldest_first() -> None:
    all_of_them = [own("new", "r1", 1), own("old", "r2", 9), own("undated", "r1", None)]
    days = timedelta(days=9)
    assert [one.name for one in chosen(all_of_them, NOW)] == ["old", "new", "undated"]
    assert [one.name for one in chosen(all_of_them, NOW, older_than=days)] == ["old"]
    assert [one.name for one in chosen(all_of_them, NOW, release="r1")] == ["new", "undated"]
    assert chosen(all_of_them, NOW, older_than=days, release="r1") == []
    nothing = timedelta(0)
    assert "undated" not in {one.name for one in chosen(all_of_them, NOW, older_than=nothing)}


async def test_only_ours_are_deleted(tmp_path: Path) -> None:
    with running_standin(StandinSettings(keys=(KEY,)), tmp_path / "state.sqlite") as urls:
        async with quick_client(urls.backboard) as client:
            for name in (OURS, CLONE, *OTHERS):
                if name and name == name.strip():
                    await client.create_assistant(name, description="A test.")
            before = {one.name for one in await client.list_assistants()}
            ours = await list_own(client)
            deleted: list[str] = []
            await client.delete_assistant(ours[0].assistant_id)
            await delete_own(client, ours, lambda one: deleted.append(one.name))
            after = {one.name for one in await client.list_assistants()}
    assert len(ours) == 2
    assert before - after == {OURS, CLONE}
    assert deleted == [ours[1].name]


async def test_one_that_was_renamed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    with running_standin(StandinSettings(keys=(KEY,)), tmp_path / "state.sqlite") as urls:
        async with quick_client(urls.backboard) as client:
            made = await client.create_assistant("Support bot", description="A test.")
            stale = OwnAssistant(made.assistant_id, OURS, "conv-26", "r1", made.created_at)
            deleted: list[OwnAssistant] = []
            await delete_own(client, [stale], deleted.append)
            assert [one.name for one in await client.list_assistants()] == ["Support bot"]
    assert deleted == []
