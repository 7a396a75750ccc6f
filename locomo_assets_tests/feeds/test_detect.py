"""Which releases are measured, only registered, or missed."""

from datetime import UTC, datetime

from locomo_assets.feeds.detect import Cursor, Detection, detect_releases
from locomo_assets.feeds.feed import FeedRelease, FeedResponse, ReleaseFeed

FEED = ReleaseFeed("json", "https://example.org/r.json")


def response(*labels: str, etag: str | None = None) -> FeedResponse:
    published = datetime(2026, 11, 1, tzinfo=UTC)
    return FeedResponse(tuple(FeedRelease(label, published) for label in labels), etag)


def after(*responses: FeedResponse) -> Detection:
    """The detection at the last of several responses, each cursor written and read back."""
    cursor: Cursor | None = None
    for one in responses:
        detection = detect_releases(FEED, cursor, one)
        text = None if detection.cursor is None else detection.cursor.model_dump_json()
        cursor = Cursor.parse(text, FEED)
    return detection


def names(detection: Detection) -> tuple[str | None, str | None, list[str]]:
    return (
        None if detection.measure is None else detection.measure.label,
        None if detection.register is None else detection.register.label,
        [release.label for release in detection.missed],
    )


def test_the_first_read_registers_only_the_newest() -> None:
    detection = after(response("v1", "v2"))
    assert names(detection) == (None, "v2", [])
    assert "v2 is registered and not run" in detection.summary


def test_a_new_release_is_measured_once() -> None:
    responses = [response("v1"), response("v1", "v2")]
    assert names(after(*responses)) == ("v2", None, [])
    again = after(*responses, response("v1", "v2"))
    assert names(again) == (None, None, [])
    assert "newest is v2" in again.summary


def test_of_several_the_newest_is_measured_and_the_others_are_missed() -> None:
    detection = after(response("v1"), response("v1", "v2", "v3", "v4"))
    assert names(detection) == ("v4", None, ["v2", "v3"])
    assert "missed, as the service is at v4 by now: v2, v3" in detection.summary


def test_an_older_release_that_appears_late_is_missed() -> None:
    assert names(after(response("v1", "v3"), response("v1", "v2", "v3"))) == (None, None, ["v2"])


def test_a_release_that_disappears_and_returns_is_not_new() -> None:
    responses = [response("v1"), response("v1", "v2"), response("v1"), response("v1", "v2")]
    assert names(after(*responses)) == (None, None, [])


def test_unchanged_keeps_the_cursor() -> None:
    before = after(response("v1", etag='"a"')).cursor
    assert before is not None
    assert before.last_response().etag == '"a"'
    detection = detect_releases(FEED, before, FeedResponse(None, '"a"'))
    assert detection.cursor == before
    assert names(detection) == (None, None, [])


def test_another_feed_starts_without_a_cursor() -> None:
    cursor = after(response("v1")).cursor
    assert cursor is not None
    text = cursor.model_dump_json()
    assert Cursor.parse(text, FEED) == cursor
    assert Cursor.parse(text, ReleaseFeed("sdk", FEED.url)) is None
    assert Cursor.parse("no cursor", FEED) is None
    assert Cursor.parse(None, FEED) is None
