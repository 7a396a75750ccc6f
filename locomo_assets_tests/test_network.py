"""The environment's proxies and certificates: refused in one line, or taken by every client."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.errors import IMPOSSIBLE
from locomo_assets.feeds.feed import FeedError, ReleaseFeed
from locomo_assets.history.storage import open_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.calls import CallOptions
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.network import (
    ALERT_BUNDLES,
    STORE_BUNDLES,
    NetworkSettingsError,
    check_network,
    network_settings,
    proxy_for,
)
from locomo_assets.prices import PriceTable
from locomo_assets.reporting.alerts.channels import Channels
from locomo_assets.reporting.alerts.model import Notification, Severity
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.cli.shell.running import Commands
from locomo_assets_tests.doctor.serving import make_certificate, served, tls_proxy
from locomo_assets_tests.proxies import Proxy, http_proxy, socks_proxy

SECRET = "planted-secret"
VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *(*STORE_BUNDLES, *ALERT_BUNDLES, "SSLKEYLOGFILE"),
)
BAD = [
    ("HTTPS_PROXY", f"socks4://u:{SECRET}@127.0.0.1:1", "not socks4://"),
    ("https_proxy", "ftp://h:1", "not ftp://"),
    ("ALL_PROXY", f"http://u:{SECRET}@h:99999", "no proxy's address"),
    ("HTTPS_PROXY", "http://", "no proxy's address"),
    ("HTTPS_PROXY", "http:/h:1", "no proxy's address"),
    ("HTTPS_PROXY", "//h:1", "no proxy's address"),
    ("HTTPS_PROXY", "http://[::1", "no proxy's address"),
    ("HTTPS_PROXY", f"http://u:{SECRET}#1@h:1", "as %23"),
    ("HTTPS_PROXY", f"http://u:{SECRET}@h h:1", "no proxy's address"),
    ("HTTPS_PROXY", f"http://{'a' * 80}:1", "no proxy's address"),
    ("HTTP_PROXY", f" http://u:{SECRET}@h:1", "a blank"),
    ("HTTP_PROXY", f"http://u:{SECRET}@h:1\n", "a blank"),
    ("NO_PROXY", "localhost,fd00::/200", "fd00::/200 is no address"),
    ("no_proxy", "[::1", "is no address"),
    ("NO_PROXY", "10.0.0.0/99", "10.0.0.0/99 is no address"),
    ("NO_PROXY", "a\x01b", "a control sign"),
    ("SSL_CERT_FILE", "/nowhere/ca.pem", "no file /nowhere/ca.pem"),
    ("SSL_CERT_FILE", "/dev/null", "holds no certificate"),
    ("SSL_CERT_FILE", "/tmp", "is a folder"),
    ("SSL_CERT_DIR", "/nowhere:/not-here", "no folder /nowhere"),
    ("AWS_CA_BUNDLE", "/nowhere/ca.pem", "no file /nowhere/ca.pem"),
    ("REQUESTS_CA_BUNDLE", __file__, "holds no certificate"),
    ("CURL_CA_BUNDLE", "/nowhere/ca.pem", "no file"),
]


@pytest.fixture(autouse=True)
def _no_network_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(("variable", "value", "says"), BAD)
def test_what_can_not_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(NetworkSettingsError) as refused:
        check_network((*STORE_BUNDLES, *ALERT_BUNDLES))
    line = str(refused.value)
    assert line.startswith(f"{variable}: ")
    assert says in line
    assert line.endswith("; correct the variable or unset it")
    assert SECRET not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("no_proxy", "exempt", "others"),
    [
        ("", (), ("http://h",)),
        ("*", ("http://h", "http://[::1]:80"), ()),
        ("[::1]", ("http://[::1]:8000/api",), ("http://[::2]", "http://127.0.0.1")),
        ("::1", ("https://[::1]",), ("https://[::2]",)),
        ("fd00::/8", ("https://[fd12::1]:8443/v1",), ("https://[fe80::1]", "http://fd00.de")),
        ("[fd00::]/8", ("https://[fd12::1]",), ("https://[fe80::1]",)),
        ("[::1]:81", ("http://[::1]:81",), ("http://[::1]:82",)),
        ("10.0.0.0/8, 127.0.0.1", ("http://10.9.8.7", "http://127.0.0.1"), ("http://11.0.0.1",)),
        ("corp.de", ("http://corp.de", "http://a.b.CORP.de"), ("http://mycorp.de",)),
        (".corp.de,*.x.de", ("http://a.corp.de", "http://a.x.de"), ("http://corp.dev",)),
        ("corp.de:443", ("https://corp.de", "http://corp.de:443"), ("http://corp.de",)),
        ("-bad-.com,xn--a,a_b.c,corp.de:x", ("http://a_b.c",), ("http://h",)),
    ],
)
def test_who_is_exempt(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, exempt: tuple[str], others: tuple[str]
) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    check_network()
    assert [proxy_for(url) for url in exempt] == [None] * len(exempt)
    assert [proxy_for(url) for url in others] == ["http://proxy:3128"] * len(others)


def test_what_is_set_is_told_without_passwords(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert network_settings() == []
    monkeypatch.setenv("https_proxy", f"http://u:{SECRET}@h:1")
    monkeypatch.setenv("ALL_PROXY", f"u:{SECRET}@h:2")
    monkeypatch.setenv("NO_PROXY", "[::1]")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate := make_certificate(tmp_path)))
    check_network()
    told = "https_proxy http://h:1", "ALL_PROXY http://h:2", "NO_PROXY [::1]"
    assert network_settings() == [*told, f"SSL_CERT_FILE {certificate}"]


def test_a_log_of_keys_that_can_not_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(make_certificate(tmp_path)))
    monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys")
    with pytest.raises(NetworkSettingsError, match=r"^SSLKEYLOGFILE: can't be used"):
        BackboardClient("https://127.0.0.1:1/api", DEFAULT_KEY, CallOptions())


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseUrls]:
    state = tmp_path_factory.mktemp("standin") / "state.sqlite"
    with running_standin(StandinSettings(), state) as urls:
        yield urls


@pytest.fixture(params=["http", "socks5", "socks5h"])
def proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The proxy that ALL_PROXY names."""
    kind = http_proxy if request.param == "http" else socks_proxy
    with kind() as server:
        monkeypatch.setenv("ALL_PROXY", server.url(request.param))
        yield server


def by_name(url: str) -> str:
    """The same, under a name that only the proxies know."""
    return url.replace("127.0.0.1", "services.test")


async def ask_both(memory: str, judge: str) -> None:
    """Ask the memory service and the judge for something free."""
    async with BackboardClient(memory, DEFAULT_KEY, CallOptions()) as client:
        assert (await client.probe()).system == "standin"
    connected = LLMJudge.connect(
        api_key=DEFAULT_KEY,
        base_url=judge,
        prices=PriceTable.read(),
        max_retries=0,
        options=CallOptions(),
    )
    async with connected as one:
        assert one.identity.system == "standin"


async def test_services_are_asked_by_the_proxy(standin: BaseUrls, proxy: Proxy) -> None:
    await ask_both(by_name(standin.backboard), by_name(standin.openai))
    assert set(proxy.hosts) == {"services.test"}
    assert len(proxy.hosts) >= 2


@pytest.mark.parametrize("exempt", ["127.0.0.1", "[::1],127.0.0.0/8", "fd00::/8,127.0.0.1"])
async def test_services_that_are_exempt_are_asked_directly(
    standin: BaseUrls, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    monkeypatch.setenv("NO_PROXY", exempt)
    await ask_both(standin.backboard, standin.openai)
    assert proxy.hosts == []


async def test_a_private_authority_is_trusted_by_all(
    standin: BaseUrls, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    new = ssl.TLSVersion.TLSv1_3
    with (
        tls_proxy(standin.backboard, certificate, new) as memory,
        tls_proxy(standin.openai, certificate, new) as judge,
    ):
        await ask_both(memory, judge)
        with pytest.raises(FeedError, match="the server answered 4"):
            ReleaseFeed("json", f"{memory}/nothing").read()
    assert len(proxy.hosts) >= 3


def test_files_are_fetched_by_the_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, served_sample: str
) -> None:
    with pytest.raises(FeedError, match="`version` is not a text"):
        ReleaseFeed("json", by_name(served_sample)).read()
    sha256 = read_dataset(packaged_sample()).sha256
    assert read_dataset(served_sample, sha256).sha256 == sha256
    assert proxy.hosts == ["services.test", "127.0.0.1"]
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    read_dataset(served_sample, sha256)
    assert len(proxy.hosts) == 2


@pytest.fixture
def served_sample() -> Iterator[str]:
    """The URL of the packaged sample."""

    class Sample(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = Path(packaged_sample()).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Sample) as server, served(server):
        yield f"http://127.0.0.1:{server.server_port}/sample.json"


def test_an_alert_is_sent_by_the_proxy(proxy: Proxy, served_sample: str) -> None:
    # Of `socks5://` that library looks up the name itself.
    channels = Channels({Severity.HIGH: served_sample.replace("http://", "json://")})
    told = Notification(
        key="k", severity=Severity.HIGH, recovered=False, title="t", text="t",
        next_try_at=datetime.now(UTC),
    )  # fmt: skip
    assert channels.send(told) == []
    assert proxy.hosts == ["127.0.0.1"]


def test_a_history_in_a_store_is_read_by_the_proxy(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_proxy() as server:
        monkeypatch.setenv("HTTP_PROXY", server.url("http"))
        storage = open_storage(s3_url)
        storage.put("a", b"data")
        assert storage.get("a") == b"data"
        assert len(server.hosts) >= 2


def test_a_store_takes_no_socks_proxy(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"socks5://u:{SECRET}@127.0.0.1:9")
    with pytest.raises(NetworkSettingsError, match=r"^HTTP_PROXY: object stores"):
        open_storage(s3_url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert open_storage(s3_url).list("") == []


AT_MEMORY = {"BACKBOARD_API_KEY": "0123456789", "BACKBOARD_BASE_URL": "http://127.0.0.1:9/api"}
AT_JUDGE = {"OPENAI_API_KEY": "0123456789", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
PARTS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "memory service": (AT_MEMORY, ("run", "--release", "r1")),
    "judge": (AT_JUDGE, ("run", "--release", "r1")),
    "data set": (
        {"LOCOMO_DATASET": "https://127.0.0.1:9/d.json", "LOCOMO_DATASET_SHA256": "0" * 64},
        ("run", "--release", "r1"),
    ),
    "history": ({"LOCOMO_HISTORY": "s3://bucket/history"}, ("run", "--release", "r1")),
    "backup": ({"LOCOMO_BACKUP": "s3://bucket/backup"}, ("backup",)),
    "alerts": ({"LOCOMO_ALERT_URLS_HIGH": "json://127.0.0.1:9"}, ("alert-test",)),
    "doctor": ({}, ("doctor",)),
}


@pytest.fixture
def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    monkeypatch.chdir(home)
    return Commands(monkeypatch, capsys)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "setting", ["SSL_CERT_FILE=/nowhere/ca.pem", f"HTTPS_PROXY=socks4://u:{SECRET}@h:1"]
)
def test_every_part_says_which_variable(
    run: Commands,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    setting: str,
) -> None:
    given, words = PARTS[part]
    variable, _, value = setting.partition("=")
    if part == "backup":
        HistoryStore.open((home / "history").as_uri())
    for name, one in {**given, variable: value}.items():
        monkeypatch.setenv(name, one)
    done = run(*words)
    assert SECRET not in done.out + done.err
    if part == "doctor":
        assert done.code == 1
        [line] = [line for line in done.out.splitlines() if "  network" in line]
        assert line.startswith("fail")
    else:
        line = done.line
        assert done.code in (1, IMPOSSIBLE)
    assert f"{variable}: " in line
    assert "unexpected" not in line


def test_what_asks_nobody_needs_no_network(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value, _ in BAD:
        monkeypatch.setenv(variable, value)
    done = run("run", "--release", "r1", "--questions", "1", "--conversations", "sample-1")
    assert done.code == 0, done.err
