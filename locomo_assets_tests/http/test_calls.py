"""Guards are asked at the last moment: what they refuse is not carried out."""

import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from locomo_assets.completions.http_client import RecordingClient
from locomo_assets.errors import LocomoError
from locomo_assets.http.calls import CallOptions, guarded, tls_context, until_allowed
from locomo_assets.judging.verdict_request import JUDGE
from locomo_assets.network import NetworkSettingsError
from locomo_assets_tests.backboard.clients import quick_client
from locomo_assets_tests.backboard.raw_server import answer, raw_server
from locomo_assets_tests.doctor.serving import make_certificate

BEFORE_HEADERS, BEFORE_BODY = 2, 3


class OverError(LocomoError):
    """What a guard raises here."""


class Countdown:
    """A guard that refuses from a question on, from 1."""

    def __init__(self, refused_at: int) -> None:
        self.asked = 0
        self._refused_at = refused_at

    async def __call__(self) -> bool:
        self.asked += 1
        if self.asked >= self._refused_at:
            raise OverError("over")
        return False


async def save(base_url: str) -> None:
    stamp = datetime(2023, 5, 8, tzinfo=UTC)
    async with quick_client(base_url) as client:
        await client.add_message("t1", "Ann: hi", memory="Auto", custom_timestamp=stamp)


async def judge(base_url: str) -> None:
    async with RecordingClient(base_url, CallOptions(), httpx2.Timeout(10.0), JUDGE) as client:
        await client.post(f"{base_url}/chat/completions", json={"model": "m"})


@pytest.mark.parametrize("send", [save, judge])
@pytest.mark.parametrize("refused_at", [1, BEFORE_HEADERS, BEFORE_BODY])
async def test_refused_call_is_not_carried_out(
    send: Callable[[str], Awaitable[None]], refused_at: int
) -> None:
    async with raw_server(answer(200, {"message_id": "m1"})) as server:
        guard = Countdown(refused_at)
        with guarded(guard), pytest.raises(OverError):
            await send(server.base_url)
        assert (guard.asked, server.bodies) == (refused_at, [])
        await send(server.base_url)
        assert len(server.bodies) == 1


async def test_harmless_call_asks_no_guard() -> None:
    thread = {"thread_id": "t1", "messages": []}
    async with (
        raw_server(answer(200, thread)) as server,
        quick_client(server.base_url) as client,
    ):
        with guarded(Countdown(1)):
            await client.get_thread("t1")


async def test_guard_is_asked_again_after_another_one_was_waited_for() -> None:
    asked: list[str] = []

    async def patient() -> bool:
        asked.append("patient")
        return len(asked) == 2

    async def quick() -> bool:
        asked.append("quick")
        return False

    with guarded(quick), guarded(patient):
        await until_allowed()
    assert asked == ["quick", "patient"] * 2
    await until_allowed()
    assert len(asked) == 4


def test_clients_share_a_tls_context_while_the_environment_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = tls_context("1.3")
    assert tls_context("1.3") is first
    assert tls_context("1.2") is not first
    assert (first.minimum_version, tls_context("1.2").minimum_version) == (
        ssl.TLSVersion.TLSv1_3,
        ssl.TLSVersion.TLSv1_2,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(NetworkSettingsError, match="SSL_CERT_FILE"):
        tls_context("1.3")
    monkeypatch.setenv("SSL_CERT_FILE", str(make_certificate(tmp_path)))
    assert tls_context("1.3") is not first
