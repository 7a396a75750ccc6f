"""`remote`: lists, asks, deletes; at a served stand-in and, without keys, at the packaged one."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.cli.operations import remote
from locomo_assets.history.provenance import Lineage
from locomo_assets.runs.damage import ASSET
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings

R1 = "LoCoMo Test Assistant 0000000a conv-26 r1"
R2 = "LoCoMo Test Assistant 0000000b conv-26 r2"
CLONE = "LoCoMo Test Assistant 0000000c clone"
OTHER = "Support bot"


def command(*arguments: str, answer: str = "") -> tuple[int, str]:
    app = typer.Typer()
    remote.register(app)
    done = CliRunner().invoke(app, ["remote", *arguments], input=answer, catch_exceptions=False)
    return done.exit_code, done.output


async def make(client: BackboardClient) -> None:
    for name in (R1, R2, CLONE, OTHER):
        await client.create_assistant(name, description="A test.")


def names() -> set[str | None]:
    async def listed() -> set[str | None]:
        async with Services(read_settings()).client() as (client, _):
            return {one.name for one in await client.list_assistants()}

    return asyncio.run(listed())


@pytest.fixture(params=["served", "packaged"])
def _four_assistants(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    async def made() -> None:
        async with Services(read_settings()).client() as (client, _):
            await make(client)

    with ExitStack() as stack:
        if request.param == "served":
            served = running_standin(StandinSettings(), home / "served.sqlite")
            monkeypatch.setenv("BACKBOARD_BASE_URL", stack.enter_context(served).backboard)
            monkeypatch.setenv("BACKBOARD_API_KEY", DEFAULT_KEY)
        asyncio.run(made())
        yield


@pytest.mark.usefixtures("_four_assistants")
def test_list_shows_ours_alone() -> None:
    code, output = command("list")
    assert code == 0
    assert all(name in output for name in (R1, R2, CLONE))
    assert OTHER not in output
    assert "3 assistants of ours" in output
    assert "0 assistants of ours" in command("list", "--older-than", "1")[1]
    assert R2 not in command("list", "--release", "r1")[1]


@pytest.mark.usefixtures("_four_assistants")
def test_delete_asks_first_and_takes_ours_alone() -> None:
    for answer in ("n\n", ""):
        code, output = command("delete", "--release", "r1", answer=answer)
        assert code != 0
        assert R1 in output
    assert names() == {R1, R2, CLONE, OTHER}
    assert command("delete", "--release", "r1", answer="y\n")[0] == 0
    assert names() == {R2, CLONE, OTHER}
    code, output = command("delete", "--older-than", "0", "--yes")
    assert "2 deleted" in output
    assert names() == {OTHER}


@pytest.mark.usefixtures("_four_assistants")
def test_without_options_the_retention_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0 assistants of ours" in command("delete", "--yes")[1]
    monkeypatch.setenv("LOCOMO_KEEP_ASSISTANTS_DAYS", "0")
    assert "3 deleted" in command("delete", "--yes")[1]
    assert names() == {OTHER}


@pytest.mark.usefixtures("_four_assistants")
def test_those_of_damaged_ingestions_are_deleted_when_asked_for() -> None:
    async def id_of(name: str) -> str:
        async with Services(read_settings()).client() as (client, _):
            [found] = await client.list_assistants(name=name)
            return found.assistant_id

    assert command("list", "--damaged")[1].startswith("0 assistants of ours")
    store = Services(read_settings()).store()
    lineage = Lineage(
        asset=ASSET,
        run_id="run-1",
        release="r1",
        conversation="conv-26",
        code_version="1",
        dataset_sha256="d" * 64,
        system="standin",
        extra={"ingestion_id": "i", "assistant_id": asyncio.run(id_of(R1)), "reason": "twice"},
    )
    attempt = store.begin(lineage)
    attempt.append("ingest_journal", [{"event": "damaged", **lineage.extra}])
    attempt.commit()
    code, output = command("delete", "--damaged", "--yes")
    assert (code, "1 deleted" in output) == (0, True)
    assert names() == {R2, CLONE, OTHER}
