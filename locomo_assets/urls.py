"""URLs and keys of services: what may be sent to, and what may be shown.

Every client checks its base URL and its key here, before the first request.
"""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit


def checked_base_url(
    url: str, *, service: str, setting: str, error: Callable[[str], Exception]
) -> str:
    """The URL without a slash at its end; `error` where it is no plain http(s) URL.

    What is wrong with it may be a secret in the wrong place, so it is not repeated.
    """
    # heavy, and most commands send nothing
    import httpx

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise error(
            f"{service}'s base URL cannot be read: set {setting} to a full URL, like "
            "https://host/path"
        ) from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise error(
            f"{service}'s base URL must begin with http:// or https:// and name a host: check "
            f"{setting}"
        )
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise error(
            f"{service}'s base URL at {parsed.host} holds more than scheme, host and path: take "
            f"user, password, query and fragment out of {setting}"
        )
    return str(parsed).rstrip("/")


def checked_key(key: str, *, service: str, setting: str, error: Callable[[str], Exception]) -> str:
    """The key; `error`, without it, where no header can carry it."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise error(
            f"{service}'s key is empty or holds signs that no header can carry: set {setting}"
        )
    return key


def without_credentials(url: str) -> str:
    """The URL as it may be shown and stored; credentials stand before the host or in the query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
