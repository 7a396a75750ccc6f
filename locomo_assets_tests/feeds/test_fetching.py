"""Feeds over real sockets: conditional requests, and every way to fail."""

from pathlib import Path

import pytest

from locomo_assets.feeds import feed as fetching
from locomo_assets.feeds.feed import FeedError, ReleaseFeed
from locomo_assets_tests.feeds.serving import releases_json, served_feed


def test_what_has_not_changed_is_not_sent_again() -> None:
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


def test_a_server_without_conditions_is_read_whole_each_time() -> None:
    with served_feed(releases_json("v1")) as served:
        served.conditional = False
        feed = ReleaseFeed("json", served.url)
        assert feed.read(feed.read()).releases is not None
    assert served.unconditional() == 2


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, b"oops", "answered 500"),
        (404, b"", "answered 404"),
        (304, b"", "answered 304"),
        (200, b" \n", "is empty"),
        (200, b"<html>", "no JSON"),
        (200, b"[]", "no release"),
    ],
)
def test_a_failed_read_says_why(status: int, body: bytes, told: str) -> None:
    with served_feed(body) as served:
        served.status = status
        with pytest.raises(FeedError, match=told) as caught:
            ReleaseFeed("json", f"{served.url}?token=planted-secret").read()
    assert str(caught.value).startswith(f"release feed json {served.url}: ")
    assert "planted-secret" not in str(caught.value)


def test_what_may_be_secret_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with served_feed(releases_json("v1")) as served, caplog.at_level("DEBUG"):
        address = served.url.replace("//", "//user:planted@")
        feed = ReleaseFeed("json", f"{address}?token=planted-secret")
        feed.read()
    assert "/releases" in caplog.text
    assert "planted" not in f"{caplog.text} {feed!r} {feed.name}"


def test_silence_is_a_failed_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_SILENCE_S", 0.2)
    with served_feed() as served:
        served.hangs = True
        with pytest.raises(FeedError, match="no answer within"):
            ReleaseFeed("json", served.url).read()


def test_a_feed_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_MAX_BYTES", 100)
    with served_feed(b"x" * 1000) as served, pytest.raises(FeedError, match="larger than"):
        ReleaseFeed("json", served.url).read()


def test_nobody_listens() -> None:
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
