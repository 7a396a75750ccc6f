"""The environment's proxies and certificate authorities, one way for every client.

Here they are checked before anything is sent: libraries would raise errors that name no variable,
each others. A proxy's user and password are never told. docs/network.md says who reads what.
"""

import os
import ssl
from collections.abc import Collection, Iterator
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import SplitResult, urlsplit

from locomo_assets.errors import IMPOSSIBLE, LocomoError
from locomo_assets.redaction import keep_out_of_logs

if TYPE_CHECKING:
    import httpx

TlsVersion = Literal["1.2", "1.3"]

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SCHEMES = ("http", "https", "socks5", "socks5h")
_NO_ADDRESS = (
    "is no proxy's address; write it as http://host:port, with special signs of a password as %23"
)
_LONGEST_SHOWN = 200

STORE_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""What object stores' libraries read besides."""
ALERT_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What the library behind alerts reads besides."""


class NetworkSettingsError(LocomoError):
    """A variable of the environment from which no client could be made."""

    exit_code = IMPOSSIBLE


def check_network(bundles: Collection[str] = ()) -> None:
    """Refuses proxies and certificates that can't be used; `bundles`: variables read besides.

    Raises NetworkSettingsError, which names the variable.
    """
    for variable, value in _given(*_PROXIES):
        _check_proxy(variable, value)
    for variable, value in _given("NO_PROXY"):
        for entry in _entries(value):
            _check_exemption(variable, entry)
    for variable in ("SSL_CERT_FILE", *bundles):
        if path := os.environ.get(variable):
            _check_bundle(variable, path, may_be_folder=variable in ALERT_BUNDLES)
    folders = os.environ.get("SSL_CERT_DIR", "")
    if folders and not any(Path(one).is_dir() for one in folders.split(os.pathsep) if one):
        raise NetworkSettingsError(
            f"SSL_CERT_DIR: there is no folder {_shown(folders)}; correct the variable or unset it"
        )


def check_store_network() -> None:
    """`check_network` for an object store, whose libraries take no SOCKS proxy."""
    from urllib.request import getproxies

    check_network(STORE_BUNDLES)
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "https://s3.amazonaws.com")
    scheme = urlsplit(endpoint).scheme
    proxy = proxy_for(endpoint) or ""
    # They don't read ALL_PROXY.
    if proxy.startswith("socks") and scheme in getproxies():
        raise _refused(f"{scheme.upper()}_PROXY", "object stores are reached by no SOCKS proxy")


def ssl_context() -> ssl.SSLContext:
    """Trusts whom the system trusts, or SSL_CERT_FILE or SSL_CERT_DIR says, once all is checked."""
    import httpx2

    check_network()
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        # Of what is not checked above Python reads one more variable.
        variable = "SSLKEYLOGFILE" if "SSLKEYLOGFILE" in os.environ else "the TLS library"
        cause = error.strerror or error
        raise NetworkSettingsError(
            f"{variable}: can't be used ({cause}); correct it or unset it"
        ) from None


def network_variables() -> tuple[str | None, ...]:
    """What the environment says of all that `ssl_context` reads or checks."""
    names = (*_PROXIES, "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
    return tuple(os.environ.get(one) for name in names for one in (name.lower(), name))


def proxy_for(url: str) -> str | None:
    """The proxy on the way to a URL; None where there is none, or NO_PROXY exempts the host."""
    from urllib.request import getproxies  # with it comes all of email

    found = getproxies()
    parts = urlsplit(url)
    proxy = found.get(parts.scheme) or found.get("all")
    if not proxy:
        return None
    host = (parts.hostname or "").lower()
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    if any(_exempts(entry, host, port) for entry in _entries(found.get("no", ""))):
        return None
    return _with_scheme(proxy)


def by_proxy(url: str) -> str:
    """` by the proxy http://host:port`, for what could not be reached; empty without a proxy."""
    proxy = proxy_for(url)
    return f" by the proxy {_without_user(proxy)}" if proxy else ""


def download_client(**options: Any) -> "httpx.Client":
    """A client for files of any host, by the proxy that is on the way to it."""
    import httpx

    trust = ssl_context()

    class ByProxy(httpx.BaseTransport):
        """A redirect may lead to a host that has another way."""

        def __init__(self) -> None:
            self._ways: dict[str | None, httpx.HTTPTransport] = {}

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            proxy = proxy_for(str(request.url))
            if proxy not in self._ways:
                self._ways[proxy] = httpx.HTTPTransport(verify=trust, proxy=proxy)
            return self._ways[proxy].handle_request(request)

        def close(self) -> None:
            for way in self._ways.values():
                way.close()

    return httpx.Client(transport=ByProxy(), trust_env=False, **options)


def network_settings() -> list[str]:
    """The variables that are set, each with what it says, without users and passwords."""
    told = []
    for variable, value in _given(*_PROXIES):
        told.append(f"{variable} {_without_user(value)}")
    others = ("SSL_CERT_FILE", "SSL_CERT_DIR", *dict.fromkeys((*STORE_BUNDLES, *ALERT_BUNDLES)))
    told += [f"{name} {_shown(value)}" for name, value in _given("NO_PROXY")]
    return told + [f"{one} {_shown(os.environ[one])}" for one in others if os.environ.get(one)]


def _given(*variables: str) -> Iterator[tuple[str, str]]:
    """Those that are set, in small letters or large ones."""
    for variable in variables:
        for name in (variable.lower(), variable):
            if value := os.environ.get(name):
                yield name, value


def _without_user(proxy: str) -> str:
    parts = urlsplit(_with_scheme(proxy))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


def _entries(no_proxy: str) -> list[str]:
    return [entry.strip() for entry in no_proxy.split(",") if entry.strip()]


def _check_proxy(variable: str, value: str) -> None:
    if value != value.strip() or not value.isprintable():
        raise _refused(variable, "has a blank or a control sign in it")
    try:
        parts = urlsplit(_with_scheme(value))
    except ValueError:
        raise _refused(variable, _NO_ADDRESS) from None
    if parts.scheme not in _SCHEMES:
        kinds = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise _refused(variable, f"a proxy is one of {kinds}, not {parts.scheme}://")
    if parts.username or parts.password:
        keep_out_of_logs(f"{parts.netloc.rpartition('@')[0]}@")
    if not _is_address(parts):
        raise _refused(variable, _NO_ADDRESS)


def _is_address(parts: SplitResult) -> bool:
    import httpx2

    try:
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")
        httpx2.URL(parts.geturl())
    except (ValueError, httpx2.InvalidURL):  # UnicodeError is a ValueError
        return False
    return bool(host) and " " not in parts.netloc and parts.path in ("", "/") and not parts.query


def _check_exemption(variable: str, entry: str) -> None:
    if not entry.isprintable():
        raise _refused(variable, "has a control sign in it")
    name, _ = _name_and_port(entry)
    is_open = entry.count("[") != entry.count("]")
    if is_open or (("/" in name or ":" in name) and _network(name) is None):
        raise _refused(
            variable, f"{_shown(entry)} is no address or range; write it as ::1 or fd00::/8"
        )


def _exempts(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    name, only_port = _name_and_port(entry)
    if only_port is not None and only_port != port:
        return False
    if (network := _network(name)) is not None:
        with suppress(ValueError):
            return ip_address(host) in network
        return False
    name = name.lower().removeprefix("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _name_and_port(entry: str) -> tuple[str, int | None]:
    """`[::1]`, `[::1]:80`, `[fd00::]/8`, `::1`, `host:80` or `10.0.0.0/8`."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        name, port = (name + rest, "") if rest.startswith("/") else (name, rest.removeprefix(":"))
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    else:
        name, port = entry, ""
    return (name, int(port)) if port.isdecimal() else (name, None)


def _network(name: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(name, strict=False)
    except ValueError:
        return None


def _check_bundle(variable: str, path: str, *, may_be_folder: bool) -> None:
    if Path(path).is_dir():
        if may_be_folder:
            return
        raise _refused(variable, f"{_shown(path)} is a folder, not a file of certificates")
    if not Path(path).exists():
        raise _refused(variable, f"there is no file {_shown(path)}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise _refused(variable, f"{_shown(path)} holds no certificate in PEM form") from None
    except OSError as error:
        raise _refused(variable, f"{_shown(path)} can't be read ({error.strerror})") from None


def _refused(variable: str, cause: str) -> NetworkSettingsError:
    return NetworkSettingsError(f"{variable}: {cause}; correct the variable or unset it")


def _shown(value: str) -> str:
    text = " ".join(value.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
