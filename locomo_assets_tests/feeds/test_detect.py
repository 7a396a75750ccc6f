"""What is measured, what only registered, what missed."""

from datetime import UTC, datetime

from locomo_assets.feeds.detect import Cursor, Decision, decide
from locomo_assets.feeds.feed import FeedRelease, Reading, ReleaseFeed

FEED = ReleaseFeed("json", "https://example.org/r.json")


def reading(*labels: str, etag: str | None = None) -> Reading:
    published = datetime(2026, 11, 1, tzinfo=UTC)
    return Reading(tuple(FeedRelease(label, published) for label in labels), etag)


def after(*looks: Reading) -> Decision:
    """The decision at the last of several looks, each cursor written and read back."""
    cursor: Cursor | None = None
    for look in looks:
        decision = decide(FEED, cursor, look)
        text = None if decision.cursor is None else decision.cursor.model_dump_json()
        cursor = Cursor.read(text, FEED)
    return decision


def names(decision: Decision) -> tuple[str | None, str | None, list[str]]:
    return (
        None if decision.measure is None else decision.measure.label,
        None if decision.register is None else decision.register.label,
        [release.label for release in decision.missed],
    )


def test_the_first_look_registers_the_newest_alone() -> None:
    decision = after(reading("v1", "v2"))
    assert names(decision) == (None, "v2", [])
    assert "v2 is registered and not run" in decision.told


def test_a_new_release_is_measured_once() -> None:
    looks = [reading("v1"), reading("v1", "v2")]
    assert names(after(*looks)) == ("v2", None, [])
    again = after(*looks, reading("v1", "v2"))
    assert names(again) == (None, None, [])
    assert "newest is v2" in again.told


def test_of_several_the_newest_is_measured_and_the_others_are_missed() -> None:
    decision = after(reading("v1"), reading("v1", "v2", "v3", "v4"))
    assert names(decision) == ("v4", None, ["v2", "v3"])
    assert "missed, as the service is at v4 by now: v2, v3" in decision.told


def test_an_older_one_told_late_is_missed() -> None:
    assert names(after(reading("v1", "v3"), reading("v1", "v2", "v3"))) == (None, None, ["v2"])


def test_one_that_goes_and_comes_back_is_not_new() -> None:
    looks = [reading("v1"), reading("v1", "v2"), reading("v1"), reading("v1", "v2")]
    assert names(after(*looks)) == (None, None, [])


def test_unchanged_keeps_the_cursor() -> None:
    before = after(reading("v1", etag='"a"')).cursor
    assert before is not None
    assert before.reading().etag == '"a"'
    decision = decide(FEED, before, Reading(None, '"a"'))
    assert decision.cursor == before
    assert names(decision) == (None, None, [])


def test_another_feed_begins_anew() -> None:
    cursor = after(reading("v1")).cursor
    assert cursor is not None
    text = cursor.model_dump_json()
    assert Cursor.read(text, FEED) == cursor
    assert Cursor.read(text, ReleaseFeed("sdk", FEED.url)) is None
    assert Cursor.read("no cursor", FEED) is None
    assert Cursor.read(None, FEED) is None
