"""A feed read: its bytes fetched, conditionally where the server supports it, and parsed.

Here: HTTP, files, limits. What the bytes mean is `parsing`.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

from locomo_assets.feeds.parsing import PARSERS
from locomo_assets.feeds.release import FeedError, FeedRelease
from locomo_assets.secrecy import keep_out_of_logs

_MAX_BYTES = 32 * 2**20
_SILENCE_S = 10.0
_WHOLE_S = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a feed held, oldest first; `releases` is None where it has not changed since.

    `etag` and `last_modified` are the server's, for the next conditional request.
    """

    releases: tuple[FeedRelease, ...] | None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseFeed:
    """A feed of a kind (a key of `parsing.PARSERS`) at an address; `file` is a path or file URL."""

    kind: str
    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """Kind and address without what may be secret (credentials, query)."""
        return f"{self.kind} {self._address()}"

    def read(self, known: Reading | None = None) -> Reading:
        """Fetch and parse, within half a minute; `known` is the reading that may still hold.

        FeedError, in one line, for a feed that can't be reached, is not of its kind or is empty.
        """
        try:
            found = self._read_file() if self.kind == "file" else self._fetch(known)
            if isinstance(found, Reading):
                return found
            data, etag, last_modified = found
            if not data.strip():
                raise FeedError("it is empty")
            releases = tuple(PARSERS[self.kind](data, self._address()))
        except FeedError as error:
            raise FeedError(f"release feed {self.name}: {error}") from None
        return Reading(releases, etag, last_modified)

    def _address(self) -> str:
        parts = urlsplit(self.url)
        if not parts.scheme:
            return self.url
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))

    def _keep_out_of_logs(self) -> None:
        """The HTTP library tells each URL to the log."""
        parts = urlsplit(self.url)
        who = parts.netloc.rpartition("@")[0]
        for secret in (f"{who}@" if who else "", f"?{parts.query}" if parts.query else ""):
            if secret:
                keep_out_of_logs(secret)

    def _read_file(self) -> tuple[bytes, None, None]:
        parts = urlsplit(self.url)
        path = Path(url2pathname(parts.path) if parts.scheme == "file" else self.url)
        try:
            return path.read_bytes(), None, None
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or error
            raise FeedError(f"the file can't be read ({cause})") from None

    def _fetch(self, known: Reading | None) -> Reading | tuple[bytes, str | None, str | None]:
        import httpx

        asked = {
            "If-None-Match": known and known.etag,
            "If-Modified-Since": known and known.last_modified,
        }
        headers = {name: value for name, value in asked.items() if value}
        self._keep_out_of_logs()
        until = time.monotonic() + _WHOLE_S
        data = bytearray()
        try:
            with (
                httpx.Client(timeout=_SILENCE_S, follow_redirects=True) as client,
                client.stream("GET", self.url, headers=headers) as response,
            ):
                if response.status_code == httpx.codes.NOT_MODIFIED and headers and known:
                    return Reading(None, known.etag, known.last_modified)
                if response.status_code != httpx.codes.OK:
                    raise FeedError(f"the server answered {response.status_code}")
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > _MAX_BYTES:
                        raise FeedError(f"it is larger than {_MAX_BYTES >> 20} MiB")
                    if time.monotonic() > until:
                        raise FeedError(f"not read to its end within {_WHOLE_S:g} s")
                told = response.headers
                return bytes(data), told.get("etag"), told.get("last-modified")
        except httpx.TimeoutException:
            raise FeedError(f"no answer within {_SILENCE_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            cause = " ".join(str(error).split()) or type(error).__name__
            raise FeedError(f"could not be fetched ({cause})") from None
