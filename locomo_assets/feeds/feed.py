"""A release feed: fetching it within time and size limits, and parsing each kind of feed."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from locomo_assets.bounded import (
    FEED_BYTES,
    GZIP_ONLY,
    UnusableBodyError,
    download_pieces,
    read_file,
)
from locomo_assets.errors import LocomoError
from locomo_assets.file_urls import local_path
from locomo_assets.labels import LONGEST, MOST_BYTES, bad_labels
from locomo_assets.network import NetworkSettingsError, download_client
from locomo_assets.redaction import (
    hide_in_answer,
    hide_in_body,
    keep_out_of_logs,
    without_credentials,
)

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_READ_TIMEOUT_S = 5.0
_TOTAL_TIMEOUT_S = 5.0
# Looking for parents and texts takes a time that grows with the depth of every tag.
_MAX_DEPTH = 200
_NOT_IN_LABELS = re.compile(r"[^\w.+@:~=-]+|\.{3,}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES = (
    re.compile(r"(?P<year>\d{4})-(?P<number>\d{2})-(?P<day>\d{2})"),
    re.compile(rf"{_MONTH}\s+{_DAY},?\s+(?P<year>\d{{4}})"),
    re.compile(rf"{_DAY}\s+{_MONTH},?\s+(?P<year>\d{{4}})"),
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_ENTRIES = ("article", "li")
_HASH_DIGITS = 8


class FeedError(LocomoError):
    """The feed could not be read or parsed. Callers must not treat this as "nothing new"."""


@dataclass(frozen=True, slots=True)
class FeedRelease:
    """A release in a feed. `label` is its version, made fit for a partition key.

    `published_at` (UTC) and `url` are None if the feed does not state them.
    """

    label: str
    published_at: datetime | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class FeedResponse:
    """A feed's releases, oldest first, or None if the feed has not changed.

    `etag` and `last_modified` are for the next conditional request. `skipped`: versions that can't
    be made labels, each with the cause.
    """

    releases: tuple[FeedRelease, ...] | None
    etag: str | None = None
    last_modified: str | None = None
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseFeed:
    """A feed of a kind (a key of `PARSERS`) at a URL; for the kind `file`, a path or file URL."""

    kind: str
    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """Kind and URL, without credentials and query."""
        return f"{self.kind} {self._address()}"

    def read(self, known: FeedResponse | None = None) -> FeedResponse:
        """Fetch and parse the feed within seconds; `known` makes the request conditional.

        Raises FeedError, in one line, if it can't be reached, is not of its kind or is empty.
        Links are kept only if they are http or https, as others follow them in a browser.
        """
        try:
            fetched = self._read_file() if self.kind == "file" else self._fetch(known)
            if isinstance(fetched, FeedResponse):
                return fetched
            data, etag, last_modified = fetched
            if not data.strip():
                raise FeedError("it is empty")
            releases, skipped = _usable(PARSERS[self.kind](data, self._address()))
        except FeedError as error:
            raise FeedError(f"release feed {self.name}: {error}") from None
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            # A time out of range, a link that is none: whatever it holds, it must not end a run.
            cause = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise FeedError(f"release feed {self.name}: can't be read ({cause:.200})") from None
        return FeedResponse(tuple(map(_with_safe_link, releases)), etag, last_modified, skipped)

    def _address(self) -> str:
        return without_credentials(self.url) if urlsplit(self.url).scheme else self.url

    def _keep_out_of_logs(self) -> None:
        """Register credentials and query, because httpx logs each URL."""
        parts = urlsplit(self.url)
        user = parts.netloc.rpartition("@")[0]
        for secret in (f"{user}@" if user else "", f"?{parts.query}" if parts.query else ""):
            if secret:
                keep_out_of_logs(secret)

    def _read_file(self) -> tuple[bytes, None, None]:
        try:
            return hide_in_body(read_file(local_path(self.url), FEED_BYTES)), None, None
        except UnusableBodyError as error:
            raise FeedError(str(error)) from None
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or error
            raise FeedError(f"the file can't be read ({cause})") from None

    def _fetch(
        self, known: FeedResponse | None
    ) -> FeedResponse | tuple[bytes, str | None, str | None]:
        import httpx

        conditions = {
            "If-None-Match": known and known.etag,
            "If-Modified-Since": known and known.last_modified,
        }
        headers = {name: value for name, value in conditions.items() if value}
        self._keep_out_of_logs()
        deadline = time.monotonic() + _TOTAL_TIMEOUT_S
        data = bytearray()
        try:
            with (
                download_client(timeout=_READ_TIMEOUT_S, follow_redirects=True) as client,
                client.stream("GET", self.url, headers=GZIP_ONLY | headers) as response,
            ):
                if response.status_code == httpx.codes.NOT_MODIFIED and headers and known:
                    return FeedResponse(None, known.etag, known.last_modified)
                if response.status_code != httpx.codes.OK:
                    raise FeedError(f"the server answered {response.status_code}")
                for piece in download_pieces(response, FEED_BYTES):
                    data += piece
                    if time.monotonic() > deadline:
                        raise FeedError(f"not read to its end within {_TOTAL_TIMEOUT_S:g} s")
                etag, modified = map(response.headers.get, ("etag", "last-modified"))
                return (
                    hide_in_body(bytes(data)),
                    etag and hide_in_answer(etag),
                    modified and hide_in_answer(modified),
                )
        except (UnusableBodyError, NetworkSettingsError) as error:
            raise FeedError(str(error)) from None
        except httpx.TimeoutException:
            raise FeedError(f"no answer within {_READ_TIMEOUT_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            cause = " ".join(str(error).split()) or type(error).__name__
            raise FeedError(f"could not be fetched ({cause})") from None


def release_label(version: str) -> str:
    """A version as a label, without what a label can't have; itself where none is left."""
    label = _NOT_IN_LABELS.sub("-", version.strip())[:LONGEST]
    return label.encode()[:MOST_BYTES].decode(errors="ignore").strip("-") or version


def _usable(found: Sequence[FeedRelease]) -> tuple[list[FeedRelease], tuple[str, ...]]:
    """The releases whose labels can be used, and the others with the cause.

    Raises FeedError where none can.
    """
    faults = bad_labels(release.label for release in found)
    skipped = tuple(f"version {label!r:.80}: {fault}" for label, fault in faults.items())
    usable = [release for release in found if release.label not in faults]
    if not usable:
        raise FeedError("; ".join(skipped[:3]) or "no release in it")
    return usable, skipped


def parse_changelog(data: bytes, url: str) -> list[FeedRelease]:
    """The dated entries of a changelog page, labelled by date.

    Takes dates from `<time datetime>`, else from headings, else from elements that hold only a
    date. The second entry of a day is `2026-11-20.2`, and so on.
    """
    from bs4 import BeautifulSoup

    _Depth().feed(data.decode(errors="replace"))
    page = BeautifulSoup(data, "html.parser")
    found = _entries(page, url)
    if not found:
        raise FeedError(
            "no dated entry in the page; check that it is the changelog and needs no JavaScript"
        )
    if found[0][0] >= found[-1][0]:
        found.reverse()
    releases: list[FeedRelease] = []
    count: dict[date, int] = {}
    for day, link in sorted(found, key=lambda entry: entry[0]):
        count[day] = count.get(day, 0) + 1
        label = day.isoformat() + (f".{count[day]}" if count[day] > 1 else "")
        releases.append(FeedRelease(label, datetime.combine(day, time_of_day(), UTC), link))
    return releases


def parse_openapi(data: bytes, url: str) -> list[FeedRelease]:
    """An OpenAPI document as one release, labelled by its version and a hash of its content.

    The hash ignores the order of keys and white space.
    """
    found = _decode_json(data)
    info = found.get("info") if isinstance(found, dict) else None
    version = info.get("version") if isinstance(info, dict) else None
    if not isinstance(version, str) or not isinstance(found.get("paths"), dict):
        raise FeedError("not an OpenAPI document: info.version and paths are not there")
    canonical = json.dumps(found, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:_HASH_DIGITS]
    return [FeedRelease(release_label(f"{version}-{digest}"), None, url)]


def parse_sdk(data: bytes, url: str) -> list[FeedRelease]:
    """A package's releases from an index's JSON: `releases` → files → `upload_time_iso_8601`.

    Skips a release without files, or with only withdrawn ones.
    """
    found = _decode_json(data)
    releases = found.get("releases") if isinstance(found, dict) else None
    if not isinstance(releases, dict):
        raise FeedError("not a package's JSON: `releases` is not there")
    read: list[FeedRelease] = []
    for version, files in releases.items():
        if not isinstance(files, list) or not all(isinstance(one, dict) for one in files):
            raise FeedError(f"release {version!r:.80}: its files are not a list of objects")
        times = [
            _parse_time(one.get("upload_time_iso_8601"), f"release {version!r:.80}")
            for one in files
            if not one.get("yanked")
        ]
        if times:
            read.append(FeedRelease(release_label(version), min(times), url))
    return _sort_releases(read)


def parse_json(data: bytes, url: str) -> list[FeedRelease]:
    """`[{"version": …, "published_at": ISO 8601, "url": … or absent}]`, in any order."""
    found = _decode_json(data)
    if not isinstance(found, list):
        raise FeedError("not a list of releases")
    read: list[FeedRelease] = []
    for place, one in enumerate(found, start=1):
        version = one.get("version") if isinstance(one, dict) else None
        if not isinstance(version, str):
            raise FeedError(f"release {place} of the list: `version` is not a text")
        link = one.get("url")
        if link is not None and not isinstance(link, str):
            raise FeedError(f"release {version!r:.80}: `url` is not a text")
        published = _parse_time(one.get("published_at"), f"release {version!r:.80}")
        read.append(FeedRelease(release_label(version), published, link and urljoin(url, link)))
    return _sort_releases(read)


Parser = Callable[[bytes, str], list[FeedRelease]]
"""Takes a feed's bytes, and its URL for resolving relative links."""

PARSERS: dict[str, Parser] = {
    "changelog": parse_changelog,
    "openapi": parse_openapi,
    "sdk": parse_sdk,
    "json": parse_json,
    "file": parse_json,
}
"""Kind → parser. A `file` holds what a `json` feed serves."""


def _sort_releases(releases: Iterable[FeedRelease]) -> list[FeedRelease]:
    """By time; of two with the same label the earlier. FeedError if there is none."""
    latest = datetime.max.replace(tzinfo=UTC)
    by_label: dict[str, FeedRelease] = {}
    for release in sorted(releases, key=lambda one: one.published_at or latest):
        by_label.setdefault(release.label, release)
    if not by_label:
        raise FeedError("no release in it")
    return list(by_label.values())


def _decode_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"not JSON ({' '.join(str(error).split())})") from None


def _parse_time(text: object, whose: str) -> datetime:
    try:
        read = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        read = None
    if read is None:
        raise FeedError(f"{whose}: its time is {text!r:.80}, not ISO 8601")
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _entries(page: "BeautifulSoup", url: str) -> list[tuple[date, str]]:
    """Date and link of each entry in page order, from the most reliable kind of date it has."""
    marked = [(tag, _find_date(str(tag["datetime"]))) for tag in page.select("time[datetime]")]
    headings = [
        (tag, _find_date(tag.get_text(" ", strip=True))) for tag in page.find_all(_HEADINGS)
    ]
    bare = [
        (text.parent, _find_date(text, whole=True))
        for text in page.find_all(string=True)
        if text.parent is not None
    ]
    for found in (marked, headings, bare):
        dated = [(tag, day) for tag, day in found if day is not None]
        if dated:
            return [(day, _link(tag, url)) for tag, day in _first_of_entries(dated)]
    return []


class _Depth(HTMLParser):
    """Refuses a page whose tags are nested too deeply, in one pass over it."""

    _EMPTY = frozenset(
        ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr")
    )

    def __init__(self) -> None:
        super().__init__()
        self._open = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open += tag not in self._EMPTY
        if self._open > _MAX_DEPTH:
            raise FeedError(f"its tags are nested more than {_MAX_DEPTH} deep")

    def handle_endtag(self, tag: str) -> None:
        self._open = max(0, self._open - 1)


def _with_safe_link(release: FeedRelease) -> FeedRelease:
    is_web = release.url is not None and urlsplit(release.url).scheme in ("http", "https")
    return release if is_web else replace(release, url=None)


def _first_of_entries(dated: "Sequence[tuple[Tag, date]]") -> "list[tuple[Tag, date]]":
    """The first date of each entry, as an entry may also say when it was changed.

    All dates, if a single element holds them all: then that element is the page.
    """
    first: dict[int, tuple[Tag, date]] = {}
    for tag, day in dated:
        first.setdefault(id(tag.find_parent(_ENTRIES) or tag), (tag, day))
    return list(first.values()) if len(first) > 1 else list(dated)


def _link(tag: "Tag", url: str) -> str:
    around = tag if tag.name == "a" else tag.find_parent("a", href=True)
    link = around or tag.find("a", href=True)
    if link is not None and link.get("href"):
        return urljoin(url, str(link["href"]))
    entry = tag.find_parent(_ENTRIES)
    name = tag.get("id") or (entry and entry.get("id"))
    return urljoin(url, f"#{name}") if name else url


def _find_date(text: str, *, whole: bool = False) -> date | None:
    for pattern in _DATES:
        match = pattern.fullmatch(text.strip()) if whole else pattern.search(text)
        if match is None:
            continue
        parts = match.groupdict()
        number = int(parts["number"]) if "number" in parts else _month_number(parts["month"])
        try:
            return date(int(parts["year"]), number, int(parts["day"]))
        except ValueError:
            continue
    return None


def _month_number(name: str) -> int:
    """1 to 12, or 0, which no date accepts, if the word is not a month."""
    short = name[:3].lower()
    return _MONTHS.index(short) + 1 if short in _MONTHS else 0
