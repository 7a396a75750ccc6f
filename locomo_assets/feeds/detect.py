"""What a reading of a feed means, after all that was seen before: what is new, what to measure.

Here: the decision, pure, and the cursor that remembers. Who acts on it is
`pipeline.release_sensor`.

A hosted service can only be measured as it is now. So of several releases since the last look the
newest is measured, and the others are missed for good.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from locomo_assets.feeds.feed import FeedRelease, Reading, ReleaseFeed


class Cursor(BaseModel):
    """What was seen of a feed: labels, oldest first, the newest of all, and the server's words."""

    model_config = ConfigDict(frozen=True)

    feed: str
    newest: str
    seen: tuple[str, ...]
    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def read(cls, text: str | None, feed: ReleaseFeed) -> "Cursor | None":
        """The cursor that was written; None where there is none, or it is another feed's."""
        try:
            cursor = cls.model_validate_json(text or "")
        except ValidationError:
            return None
        return cursor if cursor.feed == feed.name else None

    def reading(self) -> Reading:
        """What a conditional request is made with."""
        return Reading(None, self.etag, self.last_modified)


@dataclass(frozen=True, slots=True)
class Decision:
    """`measure` is to be run, `register` only to be known, `missed` known as missed.

    `told` says so in a line. `cursor` holds once that is done, not before.
    """

    told: str
    cursor: Cursor | None
    measure: FeedRelease | None = None
    register: FeedRelease | None = None
    missed: tuple[FeedRelease, ...] = ()


def decide(feed: ReleaseFeed, cursor: Cursor | None, reading: Reading) -> Decision:
    """The first look registers the newest release and measures nothing: it was there before."""
    if not reading.releases:
        known = cursor.newest if cursor else "unknown"
        return Decision(f"nothing new: {feed.name} has not changed; newest is {known}", cursor)
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
        told = (
            f"first look at {feed.name}: release {newest.label} is registered and not run, as it "
            "was there before; to measure it, materialize its conversations. The next new release "
            "is run"
        )
        return Decision(told, after, register=newest)
    if not new:
        return Decision(f"nothing new in {feed.name}: newest is {newest.label}", after)
    measure = newest if newest in new else None
    missed = tuple(release for release in new if release is not measure)
    parts = []
    if measure:
        parts.append(f"new release {measure.label}")
    if missed:
        labels = ", ".join(release.label for release in missed)
        parts.append(f"missed, as the service is at {newest.label} by now: {labels}")
    return Decision("; ".join(parts), after, measure=measure, missed=missed)
