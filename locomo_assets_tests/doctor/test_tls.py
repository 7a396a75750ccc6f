"""TLS 1.3 is the least that both clients speak, 1.2 where it was chosen; local servers of both."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.errors import UnreachableError
from locomo_assets.judging.judge import JudgeError
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.network import TlsVersion
from locomo_assets.prices import PriceTable
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.backboard.clients import QUICK
from locomo_assets_tests.doctor.serving import make_certificate, tls_proxy

NEW, OLD = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2
GOOD = [(NEW, "1.3"), (NEW, "1.2"), (OLD, "1.2")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseUrls]:
    state = tmp_path_factory.mktemp("standin") / "state.sqlite"
    with running_standin(StandinSettings(), state) as urls:
        yield urls


@pytest.fixture(autouse=True)
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


async def ask_backboard(url: str, min_tls: TlsVersion) -> str:
    options = CallOptions(min_tls=min_tls)
    async with BackboardClient(url, DEFAULT_KEY, options, retry=QUICK) as client:
        return (await client.probe()).system


async def ask_judge(url: str, min_tls: TlsVersion) -> str:
    async with LLMJudge.connect(
        api_key=DEFAULT_KEY,
        base_url=url,
        prices=PriceTable.read(),
        max_retries=0,
        options=CallOptions(min_tls=min_tls),
    ) as judge:
        return judge.identity.system


@pytest.mark.parametrize(("version", "min_tls"), GOOD)
async def test_new_enough(
    standin: BaseUrls, certificate: Path, version: ssl.TLSVersion, min_tls: TlsVersion
) -> None:
    with tls_proxy(standin.backboard, certificate, version) as url:
        assert await ask_backboard(url, min_tls) == "standin"
    with tls_proxy(standin.openai, certificate, version) as url:
        assert await ask_judge(url, min_tls) == "standin"


async def test_too_old_is_refused_with_the_way_out(standin: BaseUrls, certificate: Path) -> None:
    with (
        tls_proxy(standin.backboard, certificate, OLD) as url,
        pytest.raises(UnreachableError, match="as new as LOCOMO_MIN_TLS"),
    ):
        await ask_backboard(url, "1.3")
    with (
        tls_proxy(standin.openai, certificate, OLD) as url,
        pytest.raises(JudgeError, match="as new as LOCOMO_MIN_TLS"),
    ):
        await ask_judge(url, "1.3")


async def test_plain_http_goes_on_working(standin: BaseUrls) -> None:
    assert await ask_backboard(standin.backboard, "1.3") == "standin"
    assert await ask_judge(standin.openai, "1.3") == "standin"
