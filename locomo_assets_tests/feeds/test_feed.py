"""Feeds: conditional requests and failures over real sockets; each kind parsed, also broken."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.feeds import feed as feed_module
from locomo_assets.feeds.feed import (
    PARSERS,
    FeedError,
    FeedRelease,
    ReleaseFeed,
    parse_changelog,
    parse_json,
    parse_openapi,
    parse_sdk,
)
from locomo_assets.labels import label_fault
from locomo_assets_tests.feeds.serving import releases_json, served_feed

URL = "https://example.org/changelog"

ARTICLES = b"""<!doctype html><html><head><title>Changelog</title></head><body><main>
<h1>Changelog</h1>
<article id="pro"><time datetime="2026-11-20T09:30:00Z">November 20, 2026</time>
<h2>Memory Pro</h2><p>Since January 1, 2025.</p><small>changed <time datetime="2026-11-22">Nov 22
</time></small></article>
<article><time datetime="2026-11-03">November 3, 2026</time><h2><a href="/n/1">Fixes</a></h2>
</article></main><footer>2026-12-31</footer></body></html>"""
HEADINGS = b"""<h1>What's new</h1>
<h2 id="v3">v3.1 \xe2\x80\x94 Nov 20th, 2026</h2><ul><li>Faster</li></ul>
<h2>v3.0 \xe2\x80\x94 3 October 2026</h2><p>See 2019-01-01 for the old.</p>
<h2>v2.9 \xe2\x80\x94 3 October 2026</h2>"""
PLAIN = b"""<div><span>2026-10-01</span><p>One</p></div>
<div><span> 2026-11-01 </span><p>Two</p></div>
<p>Last updated: November 24, 2026</p>"""


def test_an_unchanged_feed_is_not_sent_again() -> None:
    with served_feed(releases_json("v1")) as served:
        feed = ReleaseFeed("json", served.url)
        first = feed.read()
        again = feed.read(first)
        served.body = releases_json("v1", "v2")
        changed = feed.read(again)
    assert first.releases is not None
    assert [release.label for release in first.releases] == ["v1"]
    assert again.releases is None
    assert (again.etag, again.last_modified) == (first.etag, first.last_modified)
    assert changed.releases is not None
    assert changed.releases[-1].label == "v2"
    assert served.requests[1]["if-none-match"] == first.etag
    assert served.requests[1]["if-modified-since"] == first.last_modified


def test_a_server_without_validators_is_read_each_time() -> None:
    with served_feed(releases_json("v1")) as served:
        served.conditional = False
        feed = ReleaseFeed("json", served.url)
        assert feed.read(feed.read()).releases is not None
    assert served.unconditional() == 2


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b"oops", "answered 500"),
        (404, b"", "answered 404"),
        (304, b"", "answered 304"),
        (200, b" \n", "is empty"),
        (200, b"<html>", "not JSON"),
        (200, b"[]", "no release"),
    ],
)
def test_a_failed_read_says_why(status: int, body: bytes, message: str) -> None:
    with served_feed(body) as served:
        served.status = status
        with pytest.raises(FeedError, match=message) as caught:
            ReleaseFeed("json", f"{served.url}?token=planted-secret").read()
    assert str(caught.value).startswith(f"release feed json {served.url}: ")
    assert "planted-secret" not in str(caught.value)


def test_secrets_in_the_url_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with served_feed(releases_json("v1")) as served, caplog.at_level("DEBUG"):
        address = served.url.replace("//", "//user:planted@")
        feed = ReleaseFeed("json", f"{address}?token=planted-secret")
        feed.read()
    assert "/releases" in caplog.text
    assert "planted" not in f"{caplog.text} {feed!r} {feed.name}"


def test_a_timeout_is_a_failed_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_READ_TIMEOUT_S", 0.2)
    with served_feed() as served:
        served.hangs = True
        with pytest.raises(FeedError, match="no answer within"):
            ReleaseFeed("json", served.url).read()


def one_release(**of: object) -> bytes:
    return json.dumps([{"version": "v1", "published_at": "2026-11-01T00:00:00Z", **of}]).encode()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("json", one_release(published_at="0001-01-01T00:00:00+23:59")),
        ("json", one_release(url="http://[")),
        ("json", b"[" * 500_000),
        ("json", b"[" + b"9" * 900_000 + b"]"),
        ("changelog", b"<div>" * 100_000),
        ("changelog", b"<h2><a>" * 60_000 + b"2026-11-01"),
        ("changelog", b"<time datetime='99999-99-99'>"),
        ("openapi", b'{"info": {"version": "1"}, "paths": {"a": ' + b"[" * 200_000),
        ("sdk", b'{"releases": {"1": [{"upload_time_iso_8601": 1e999}]}}'),
    ],
)
def test_whatever_it_holds_it_cant_be_read_within_seconds(kind: str, body: bytes) -> None:
    began = time.process_time()
    with served_feed(body) as served, pytest.raises(FeedError) as caught:
        ReleaseFeed(kind, served.url).read()
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 5


def test_the_largest_page_is_read_within_seconds() -> None:
    """As deep as is allowed, again and again, with a date in each."""
    depth = 190
    block = b"<div>" * depth + b"<h2>2026-11-01</h2>" + b"</div>" * depth
    began = time.process_time()
    with served_feed(block * (2**20 // len(block))) as served:
        assert ReleaseFeed("changelog", served.url).read().releases
    assert time.process_time() - began < 10


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"])
def test_a_link_that_is_none_of_the_web_is_left_out(url: str) -> None:
    with served_feed(one_release(url=url)) as served:
        (release,) = ReleaseFeed("json", served.url).read().releases or ()
    assert (release.label, release.url) == ("v1", None)


def test_a_file_that_never_ends_is_a_failed_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FeedError, match="a pipe or a device"):
        ReleaseFeed("file", str(tmp_path / "fifo")).read()
    with pytest.raises(FeedError, match="a pipe or a device"):
        ReleaseFeed("file", "/dev/zero").read()


def test_a_feed_that_is_too_large_is_a_failed_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "FEED_BYTES", 100)
    with served_feed(b"x" * 1000) as served, pytest.raises(FeedError, match="larger than"):
        ReleaseFeed("json", served.url).read()


def test_a_refused_connection_is_a_failed_read() -> None:
    with served_feed() as served:
        url = served.url
    with pytest.raises(FeedError, match="could not be fetched") as caught:
        ReleaseFeed("json", url).read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("as_url", [False, True])
def test_a_file_by_path_or_url(as_url: bool, tmp_path: Path) -> None:
    path = tmp_path / "releases of ours.json"
    feed = ReleaseFeed("file", path.as_uri() if as_url else str(path))
    with pytest.raises(FeedError, match="No such file"):
        feed.read()
    path.write_bytes(releases_json("v1"))
    found = feed.read().releases
    assert found is not None
    assert found[0].label == "v1"


def labels(releases: list[FeedRelease]) -> list[str]:
    return [release.label for release in releases]


def test_changelog_of_articles() -> None:
    found = parse_changelog(ARTICLES, URL)
    assert found == [
        FeedRelease("2026-11-03", datetime(2026, 11, 3, tzinfo=UTC), URL),
        FeedRelease("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC), f"{URL}#pro"),
    ]


def test_changelog_of_headings_distinguishes_two_entries_of_a_day() -> None:
    found = parse_changelog(HEADINGS, URL)
    assert labels(found) == ["2026-10-03", "2026-10-03.2", "2026-11-20"]
    assert found[-1].url == f"{URL}#v3"


def test_changelog_of_plain_dates_in_either_order() -> None:
    assert labels(parse_changelog(PLAIN, URL)) == ["2026-10-01", "2026-11-01"]


def test_a_new_entry_renames_no_older_one() -> None:
    newer = HEADINGS.replace(b"<h2 id", b"<h2>v3.2 - November 20, 2026</h2><h2 id", 1)
    before, after = labels(parse_changelog(HEADINGS, URL)), labels(parse_changelog(newer, URL))
    assert after == [*before, "2026-11-20.2"]


@pytest.mark.parametrize(
    "page",
    [
        b"<html><body><div id=root></div><script>const day = '2026-11-20'</script></body></html>",
        b"<h1>502 Bad Gateway</h1>",
        b"<h2>February 31, 2026</h2>",
        b"\xff\xfe\x00 no page",
    ],
)
def test_a_changelog_without_entries_is_broken(page: bytes) -> None:
    with pytest.raises(FeedError, match="no dated entry"):
        parse_changelog(page, URL)


OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Backboard", "version": "1.4.0"},
    "paths": {"/assistants": {"get": {}}},
}


def test_openapi_is_known_by_version_and_content() -> None:
    [first] = parse_openapi(json.dumps(OPENAPI).encode(), URL)
    [same] = parse_openapi(json.dumps(dict(reversed(OPENAPI.items())), indent=2).encode(), URL)
    [other] = parse_openapi(json.dumps({**OPENAPI, "paths": {"/threads": {}}}).encode(), URL)
    assert first == same
    assert first.label.startswith("1.4.0-")
    assert first.published_at is None
    assert other.label != first.label


@pytest.mark.parametrize(
    "document",
    [b"<html>", b"[]", b"{}", b'{"info": {"version": 3}, "paths": {}}', b'{"info": []}'],
)
def test_openapi_that_is_none(document: bytes) -> None:
    with pytest.raises(FeedError):
        parse_openapi(document, URL)


def sdk(**files: object) -> bytes:
    return json.dumps({"info": {"name": "backboard-sdk"}, "releases": files}).encode()


def uploaded(at: str, *, yanked: bool = False) -> dict[str, object]:
    return {"filename": "x.whl", "upload_time_iso_8601": at, "yanked": yanked}


def test_sdk_releases_by_their_first_upload() -> None:
    data = sdk(
        **{
            "1.5.9": [uploaded("2026-11-01T10:00:00.5Z")],
            "1.5.10": [
                uploaded("2026-11-20T10:00:00.123456Z"),
                uploaded("2026-11-20T09:00:00Z"),
            ],
            "1.5.11": [uploaded("2026-11-21T09:00:00Z", yanked=True)],
            "1.5.12": [],
        }
    )
    found = parse_sdk(data, URL)
    assert labels(found) == ["1.5.9", "1.5.10"]
    assert found[-1].published_at == datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [
        b'{"message": "Not Found"}',
        sdk(),
        sdk(**{"1.0": [uploaded("2026-11-21T09:00:00Z", yanked=True)]}),
        sdk(**{"1.0": "files"}),
        sdk(**{"1.0": [{"filename": "x"}]}),
        sdk(**{"1.0": [uploaded("yesterday")]}),
    ],
)
def test_sdk_json_that_is_broken(data: bytes) -> None:
    with pytest.raises(FeedError):
        parse_sdk(data, URL)


def test_list_in_any_order_with_versions_made_labels() -> None:
    data = json.dumps(
        [
            {
                "version": "v2 beta/\ud8001",
                "published_at": "2026-11-20T10:00:00+02:00",
                "url": "/v2",
            },
            {"version": "v1", "published_at": "2026-11-01"},
        ]
    ).encode()
    first, second = parse_json(data, URL)
    assert first == FeedRelease("v1", datetime(2026, 11, 1, tzinfo=UTC), None)
    assert second.label == "v2-beta-1"
    assert second.published_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert second.url == "https://example.org/v2"


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b"[1]",
        b'[{"version": 2}]',
        b'[{"version": "v1"}]',
        b'[{"version": "v1", "published_at": "2026-11-01", "url": 5}]',
        b'[{"version": "v1", "published_at": "2026-11-01"',
        b"[" * 100_000,
    ],
)
def test_list_that_is_broken(data: bytes) -> None:
    with pytest.raises(FeedError):
        parse_json(data, URL)


@given(kind=st.sampled_from(sorted(PARSERS)), data=st.binary(max_size=200))
def test_no_parser_fails_otherwise(kind: str, data: bytes) -> None:
    try:
        found = PARSERS[kind](data, URL)
    except FeedError:
        return
    for release in found:
        fault = label_fault(release.label)
        assert fault is None or release.label in data.decode(errors="replace")


def test_what_can_not_be_a_label_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "feed.json"

    def write(*versions: str) -> ReleaseFeed:
        days = enumerate(versions, 1)
        rows = [{"version": v, "published_at": f"2026-11-{day:02}T00:00:00Z"} for day, v in days]
        path.write_text(json.dumps(rows), encoding="utf-8")
        return ReleaseFeed("file", str(path))

    found = write("..", "1...2", "語" * 100, "$A_$B", "\ud800", " / ", "v2").read()
    assert found.releases is not None
    assert [one.label for one in found.releases] == ["1-2", "語" * 66, "A_-B", "v2"]
    assert [told.split(":")[0] for told in found.skipped] == [
        "version '..'",
        "version '\\ud800'",
        "version ' / '",
    ]
    with pytest.raises(FeedError, match=r"version '\.\.': a label is not made of dots alone"):
        write("..", " / ").read()
