"""Two servers are two judges, and what is stored from before counts for the server it came from."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.completions.asker import endpoint_of, host_of
from locomo_assets.history.backup.create import create_backup
from locomo_assets.history.backup.restore import restore
from locomo_assets.history.database import query, refresh
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.storage import open_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import JudgeError
from locomo_assets.judging.prompts import read_prompt
from locomo_assets.judging.verdict_request import llm_identity
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.runs.context import Task
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.runner import STAGES, measure
from locomo_assets.runs.verdicts import server_name
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.judging.scripted import (
    KEY,
    Answer,
    ScriptedServer,
    as_json,
    completion,
    scripted_server,
)

CANARIES = 36
ONCE = 1 + CANARIES + 2
"""With a verdict that finds out what the model takes, and one on each of two questions."""
SAYS_WRONG = '{"label": "WRONG"}'


@pytest.fixture
def one(home: Path) -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.verdicts = [completion(SAYS_WRONG)]
        yield server


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Measures with the server as judge: how many verdicts it was asked for."""
    runs = iter(range(100))

    def run(server: ScriptedServer, release: str = "r1") -> int:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        services, before = Services(read_settings()), len(server.bodies)
        run_id = f"run-{next(runs)}"

        async def work() -> None:
            task = Task(release, "sample-1", questions=2)
            async with services.run_context(run_id, [task]) as run:
                assert not await measure(run, [task], list(STAGES), lambda *_: None)

        if not services.store().manifests(asset="locomo_dataset"):
            store_dataset(services.store(), read_dataset(packaged_sample()), run_id)
        asyncio.run(work())
        return sum("Question:" in str(body) for body in server.bodies[before:])

    return run


def series(home: Path, release: str = "r1") -> dict[str, list[int]]:
    """Judge → the questions of a release, and the correct ones."""
    refresh(HistoryStore.open((home / "history").as_uri()), home / "history.duckdb")
    sql = f"SELECT judge, questions, correct FROM accuracy_by_release WHERE release = '{release}'"
    return {judge: counts for judge, *counts in query(home / "history.duckdb", sql)[1]}


def named(server: ScriptedServer, *, by_endpoint: bool = False) -> str:
    endpoint = endpoint_of(server.base_url)
    system = endpoint if by_endpoint else host_of(endpoint)
    return llm_identity(system, "gpt-4.1", read_prompt("generous")).name


def as_before(home: Path) -> None:
    """The history as versions before wrote it, which knew a server by its host alone."""
    shutil.rmtree(home / "history" / "judges")


def test_verdicts_of_another_server_are_asked_for(
    home: Path, one: ScriptedServer, other: ScriptedServer, measured: Any
) -> None:
    assert measured(one) == ONCE
    assert measured(other) == ONCE
    assert measured(one) == measured(other) == 0
    assert series(home) == {named(one): [2, 2], named(other, by_endpoint=True): [2, 0]}
    # The same answers in another release: each server's own verdicts are given again.
    assert measured(other, "r2") == measured(one, "r2") == CANARIES
    assert series(home, "r2") == series(home)


def test_verdicts_of_before_count_for_their_server(
    home: Path, one: ScriptedServer, other: ScriptedServer, measured: Any
) -> None:
    assert measured(one) == ONCE
    as_before(home)
    assert measured(one) == 1
    assert measured(other) == ONCE
    assert series(home) == {named(one): [2, 2], named(other, by_endpoint=True): [2, 0]}


def test_also_if_another_server_comes_first(
    home: Path, one: ScriptedServer, other: ScriptedServer, measured: Any
) -> None:
    assert measured(one) == ONCE
    as_before(home)
    assert [measured(other), measured(other)] == [ONCE, 0]
    assert [measured(one), measured(one)] == [1, 0]
    assert measured(other) == 0
    assert series(home) == {named(one): [2, 2], named(other, by_endpoint=True): [2, 0]}


def test_a_wrong_url_takes_no_name(
    home: Path, one: ScriptedServer, other: ScriptedServer, measured: Any
) -> None:
    other.fixed = Answer(200, b"<p>Welcome</p>", {"content-type": "text/html"})
    with pytest.raises(JudgeError):
        measured(other)
    assert measured(one) == ONCE
    assert series(home) == {named(one): [2, 2]}


def test_a_restored_history_knows_its_servers(
    home: Path, one: ScriptedServer, other: ScriptedServer, measured: Any, tmp_path: Path
) -> None:
    assert [measured(one), measured(other)] == [ONCE, ONCE]
    store = HistoryStore.open((home / "history").as_uri())
    backups = open_storage((tmp_path / "backups").as_uri())
    create_backup(store, backups, keep_days=60, run_id="b")
    shutil.rmtree(home / "history")
    restore(backups, open_storage((home / "history").as_uri()))
    assert [measured(other), measured(one)] == [0, 0]


def test_what_a_model_takes_is_found_out_again_where_it_changes(
    one: ScriptedServer, measured: Any
) -> None:
    assert measured(one) == ONCE
    error = {"message": "Unsupported parameter: 'max_tokens'", "param": "max_tokens"}
    one.fixed = as_json({"error": error | {"code": "unsupported_parameter"}}, 400)
    with pytest.raises(AssertionError):
        measured(one, "r2")
    one.fixed = None
    assert measured(one, "r2") == 1 + CANARIES


def test_identities_are_those_of_before() -> None:
    """What was paid for before is found by these."""
    prompt = read_prompt("generous")
    digests = {
        system: llm_identity(system, "gpt-4.1", prompt).digest()
        for system in ("openai", "127.0.0.1", "standin")
    }
    assert digests == {
        "openai": "66a869a982f40902ad5c5ac5ececcf07743871d4c85d4075512e55600a55be2e",
        "127.0.0.1": "5641f8e88738deed4ffb94754f9054fd300ab480d13a3f647afa6c027a516a80",
        "standin": "2c50b4dd5e2ac977bf73f19f85ff5ad7cb2eaee83d5bb0ba1eda0f5a920ec0f0",
    }


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://api.openai.com/v1", "api.openai.com/v1"),
        ("https://API.openai.com:443/v1/", "api.openai.com/v1"),
        ("http://localhost:11434/v1", "localhost:11434/v1"),
        ("http://[::1]:8000/v1", "[::1]:8000/v1"),
        ("http://host", "host/"),
        (
            "https://x.azure.com/openai/deployments/d?api-version=2024-10-21&sig=secret",
            "x.azure.com/openai/deployments/d?api-version=2024-10-21",
        ),
    ],
)
def test_an_endpoint(url: str, endpoint: str) -> None:
    assert endpoint_of(url) == endpoint
    assert host_of(endpoint) in url.lower()


@pytest.mark.parametrize("host", ["openai", "standin", "lexical"])
def test_no_host_passes_for_a_packaged_judge_or_openai(home: Path, host: str) -> None:
    store = HistoryStore.open((home / "history").as_uri())
    url = f"http://{host}:8080/v1"
    assert server_name(store, url, endpoint_of(url), "run") == f"{host}:8080/v1"


def test_one_of_those_that_come_at_once_is_the_first(home: Path) -> None:
    store = HistoryStore.open((home / "history").as_uri())
    urls = [f"http://host:{port}/v1" for port in range(8000, 8016)]

    async def together() -> list[str]:
        return await asyncio.gather(
            *(asyncio.to_thread(server_name, store, url, endpoint_of(url), "run") for url in urls)
        )

    names = asyncio.run(together())
    assert len(set(names)) == len(urls)
    assert names.count("host") == 1
    again = [server_name(store, url, endpoint_of(url), "later") for url in urls]
    assert again == names


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"endpoint": 1}', b"[" * 100_000])
def test_a_damaged_record_is_told(home: Path, data: bytes) -> None:
    store = HistoryStore.open((home / "history").as_uri())
    store.storage.put_new("judges/host.json", data)
    with pytest.raises(HistoryDamagedError, match=r"judges/host\.json names no endpoint"):
        server_name(store, "http://host/v1", "host/v1", "run")
