"""Seats at a service: never more than there are, and free again once their holder is gone."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from locomo_assets.history.storage import LocalStorage
from locomo_assets.runs import run_slots as slots
from locomo_assets.runs.run_slots import hold_run_slots, services_at, services_of_earlier_runs
from locomo_assets_tests.conftest import REPOSITORY

HOLDER = """
import sys, time
from pathlib import Path
from locomo_assets.history.lease import acquire_at
from locomo_assets.history.storage import LocalStorage
acquire_at(LocalStorage(Path(sys.argv[1])), "leases/service=host%3A443/seat=1", "dead", "host:443")
print("seated", flush=True)
time.sleep(600)
"""


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
    monkeypatch.setattr(slots, "POLL_EVERY_S", 0.02)
    return LocalStorage(tmp_path)


@pytest.mark.parametrize("number", [1, 3])
async def test_no_more_at_a_service_than_it_has_seats(storage: LocalStorage, number: int) -> None:
    at_once: list[int] = []
    warned: list[str] = []
    here = 0

    async def run(name: str) -> None:
        nonlocal here
        async with hold_run_slots(
            storage, ["host:443"], name, slots=number, on_wait=warned.append, ttl_s=30.0
        ):
            here += 1
            at_once.append(here)
            await asyncio.sleep(0.05)
            here -= 1

    await asyncio.gather(*(run(f"run-{n}") for n in range(5)))
    assert max(at_once) == number
    assert len(at_once) == 5
    assert any("host:443: run run-" in one and "is at work on it" in one for one in warned)


async def test_other_services_are_not_waited_for(storage: LocalStorage) -> None:
    def waits(whom: str) -> None:
        assert not whom

    async with (
        hold_run_slots(storage, ["one:443"], "a", slots=1, on_wait=waits),
        hold_run_slots(storage, ["two:443"], "b", slots=1, on_wait=waits),
        hold_run_slots(storage, [], "c", slots=1, on_wait=waits),
    ):
        pass


async def test_two_services_are_taken_in_one_order(storage: LocalStorage) -> None:
    async def run(name: str, *urls: str) -> None:
        async with hold_run_slots(
            storage, services_at(urls), name, slots=1, on_wait=lambda _: None
        ):
            await asyncio.sleep(0.02)

    async with asyncio.timeout(60):
        await asyncio.gather(
            *(run(f"a-{n}", "https://one/api", "https://two/v1") for n in range(3)),
            *(run(f"b-{n}", "https://two/api", "https://one/v1") for n in range(3)),
        )


def test_seat_of_a_killed_process_is_free(storage: LocalStorage, tmp_path: Path) -> None:
    warned: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        def killed(whom: str) -> None:
            warned.append(whom)
            holder.kill()

        async def run() -> None:
            async with (
                asyncio.timeout(50),
                hold_run_slots(storage, ["host:443"], "next", slots=1, on_wait=killed),
            ):
                pass

        asyncio.run(run())
    assert "run dead" in warned[0]
    assert warned[-1] == ""


def test_services_at_urls() -> None:
    assert services_at(["https://b.example/v1", "http://a.example:8000/x"]) == [
        "a.example:8000",
        "b.example:443",
    ]
    assert services_at(["https://One.example/api", "https://one.example:443/v1"]) == [
        "one.example:443"
    ]
    assert services_at(["http://host:a-secret/api", "http://[", "nothing", ""]) == []


async def test_services_of_earlier_runs(storage: LocalStorage) -> None:
    async def run(name: str, *services: str) -> set[str]:
        async with hold_run_slots(storage, services, name, slots=2, on_wait=lambda _: None):
            return services_of_earlier_runs(storage, name)

    assert await run("one", "host:8000") == set()
    assert await run("two", "host:8001", "::1:8000") == {"host:8000"}
    assert await run("three", "host:8000") == {"host:8000", "host:8001", "::1:8000"}
