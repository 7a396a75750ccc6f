"""Detecting new releases in a feed, given what was seen before: pure functions and their cursor.

A hosted service can only be measured as it is now. Of several releases since the last read, the
newest is measured and the others are missed for good.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from locomo_assets.feeds.feed import FeedRelease, FeedResponse, ReleaseFeed


class Cursor(BaseModel):
    """What was seen of a feed: labels, oldest first, and the validators of the last response."""

    model_config = ConfigDict(frozen=True)

    feed: str
    newest: str
    seen: tuple[str, ...]
    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def parse(cls, text: str | None, feed: ReleaseFeed) -> "Cursor | None":
        """The cursor stored as `text`; None if there is none, or it belongs to another feed."""
        try:
            cursor = cls.model_validate_json(text or "")
        except ValidationError:
            return None
        return cursor if cursor.feed == feed.name else None

    def last_response(self) -> FeedResponse:
        """The last response, for a conditional request."""
        return FeedResponse(None, self.etag, self.last_modified)


@dataclass(frozen=True, slots=True)
class Detection:
    """What to do with a feed's releases: `measure` one, `register` one, record the `missed`.

    `summary` says so in a line. Store `cursor` only after that is done.
    """

    summary: str
    cursor: Cursor | None
    measure: FeedRelease | None = None
    register: FeedRelease | None = None
    missed: tuple[FeedRelease, ...] = ()


def detect_releases(feed: ReleaseFeed, cursor: Cursor | None, reading: FeedResponse) -> Detection:
    """Find the new releases. A first read only registers the newest: it was there before."""
    if not reading.releases:
        known = cursor.newest if cursor else "unknown"
        return Detection(f"nothing new: {feed.name} has not changed; newest is {known}", cursor)
    newest = reading.releases[-1]
    seen = cursor.seen if cursor else ()
    new = tuple(release for release in reading.releases if release.label not in seen)
    after = Cursor(
        feed=feed.name,
        newest=newest.label,
        seen=tuple(dict.fromkeys([*seen, *(release.label for release in reading.releases)])),
        etag=reading.etag,
        last_modified=reading.last_modified,
    )
    if cursor is None:
        summary = (
            f"first look at {feed.name}: release {newest.label} is registered and not run, as it "
            "was there before; to measure it, materialize its conversations. The next new release "
            "is run"
        )
        return Detection(summary, after, register=newest)
    if not new:
        return Detection(f"nothing new in {feed.name}: newest is {newest.label}", after)
    measure = newest if newest in new else None
    missed = tuple(release for release in new if release is not measure)
    parts = []
    if measure:
        parts.append(f"new release {measure.label}")
    if missed:
        labels = ", ".join(release.label for release in missed)
        parts.append(f"missed, as the service is at {newest.label} by now: {labels}")
    return Detection("; ".join(parts), after, measure=measure, missed=missed)
