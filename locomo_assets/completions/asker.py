"""Who asks a language model for what, as settings, messages and call records name it.

And where it asks: URL, key, and the server's name in an identity.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from locomo_assets.errors import LocomoError
from locomo_assets.http.calls import checked_base_url, checked_key

OPENAI_URL = "https://api.openai.com/v1"
"""The API unless a setting names another."""
OPENAI = "openai"
"""That server's name in an identity."""

COMPLETIONS = "POST /chat/completions"
"""The endpoint that gives replies, as `CallRecord` names it, and `Limits` for the judge."""


@dataclass(frozen=True, slots=True)
class Asker:
    """`service` is its name in records and messages, `what` the reply that it wants.

    The other texts are settings; `error` is what ends it.
    """

    service: str
    what: str
    error: Callable[[str], LocomoError]
    key: str
    base_url: str
    model: str
    max_tokens: str | None = None
    own_limits: bool = False

    def limited_as(self, endpoint: str) -> str:
        """The endpoint's name in `Limits`: two askers of one server may have different keys."""
        return f"{self.service}: {endpoint}" if self.own_limits else endpoint


def endpoint_of(base_url: str) -> str:
    """`host/path` of an API, with the port where it is not the scheme's own.

    Of a query only `api-version` is kept: anything else may be a secret.
    """
    parts = urlsplit(base_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    version = [value for value in parse_qsl(parts.query) if value[0] == "api-version"]
    query = f"?{urlencode(version)}" if version else ""
    return f"{host}{port}{parts.path.rstrip('/') or '/'}{query}"


def host_of(system: str) -> str:
    """The host of a system, which is itself a host or an endpoint."""
    return urlsplit(f"//{system}").hostname or system


def is_openai(base_url: str) -> bool:
    """Whether the URL is that of OpenAI's own API."""
    return endpoint_of(base_url) == endpoint_of(OPENAI_URL)


def checked_server(asker: Asker, base_url: str | None, api_key: str) -> tuple[str, str]:
    """URL and key, as they are used. Raises the asker's error where they can't be."""
    named: dict[str, Any] = {"service": f"the {asker.service}", "error": asker.error}
    url = checked_base_url(
        base_url or OPENAI_URL, setting=asker.base_url, may_have_version=True, **named
    )
    return url, checked_key(api_key, setting=asker.key, **named)
