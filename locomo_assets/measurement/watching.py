"""A release is what was measured: the feed's word before paid work, and again after it.

Here: what the feed says now, the verdict on it, and its rows. Reading a feed is `feeds`.

Verdicts: `as_labelled` (the feed's newest release is the label), `other_release` (it is another:
nothing is spent), `release_changed` (it became another meanwhile), `exempt` (a label that a person
or a schedule made claims no release, or the override is set), `unknown` (no feed, or not readable).
"""

import asyncio
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from locomo_assets.errors import LocomoError
from locomo_assets.feeds.fetching import Reading, ReleaseFeed
from locomo_assets.feeds.release import FeedError
from locomo_assets.history.lineage import Lineage
from locomo_assets.history.store import HistoryStore
from locomo_assets.measurement.releases import claims_no_release

TABLE = "release_checks"


class OtherReleaseError(LocomoError):
    """What would be measured is not the release that it would be called by."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The feed's newest release, or None and why it is not known."""

    release: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseCheck:
    """A row of `release_checks`."""

    stage: str
    moment: str
    verdict: str
    feed: str | None
    feed_release: str | None
    reason: str | None
    checked_at: datetime

    def row(self) -> dict[str, object]:
        return asdict(self)


def verdict_on(
    release: str, moment: str, heard: Heard, *, override: bool
) -> tuple[str, str | None]:
    """The verdict at a moment (`before`, `after`), and its reason where it needs one."""
    if override:
        return "exempt", "LOCOMO_ALLOW_OTHER_RELEASE is set"
    if claims_no_release(release):
        return "exempt", "a label of one's own names no release"
    if heard.release is None:
        return "unknown", heard.reason
    if heard.release == release:
        return "as_labelled", None
    if moment == "before":
        return "other_release", f"the feed's newest release is {heard.release}"
    return "release_changed", f"the feed's newest release became {heard.release} meanwhile"


@dataclass
class ReleaseWatch:
    """Asks the feed, for all conversations of a run; `override` lets every label pass."""

    feed: ReleaseFeed | None = None
    override: bool = False
    _known: Reading | None = field(default=None, init=False)
    _heard: Heard = field(default=Heard(None), init=False)
    _began: float = field(default=-1.0, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def check(self, release: str, stage: str, moment: str) -> ReleaseCheck:
        """The verdict now."""
        heard = await self._hear()
        verdict, reason = verdict_on(release, moment, heard, override=self.override)
        name = None if self.feed is None else self.feed.name
        now = datetime.now(UTC)
        return ReleaseCheck(stage, moment, verdict, name, heard.release, reason, now)

    async def _hear(self) -> Heard:
        """A reading that began after this was called; those who wait for their turn share it."""
        if self.feed is None:
            return Heard(None, "no release feed is configured (LOCOMO_RELEASE_FEED)")
        called = time.monotonic()
        async with self._turn:
            if self._began <= called:
                self._began = time.monotonic()
                self._heard = await asyncio.to_thread(self._read, self.feed)
            return self._heard

    def _read(self, feed: ReleaseFeed) -> Heard:
        try:
            reading = feed.read(self._known)
        except FeedError as error:
            return Heard(None, str(error))
        if reading.releases is not None:
            self._known = reading
        newest = self._known.releases[-1] if self._known and self._known.releases else None
        return Heard(None, "the feed tells nothing") if newest is None else Heard(newest.label)


def refuse_other_release(store: HistoryStore, lineage: Lineage, check: ReleaseCheck) -> None:
    """Where another release is current: notes that in the history and raises OtherReleaseError."""
    if check.verdict != "other_release":
        return
    attempt = store.begin(replace(lineage, asset=TABLE))
    attempt.append(TABLE, [check.row()])
    attempt.commit()
    raise OtherReleaseError(
        f"release {lineage.release} is not what would be measured: {check.reason} ({check.feed}); "
        "measure that one, choose a label adhoc-…, or set LOCOMO_ALLOW_OTHER_RELEASE=1; nothing "
        "was spent, and what is stored can still be judged again"
    )


def worst(*checks: ReleaseCheck) -> str:
    """The verdict on work by those before and after it."""
    order = ("as_labelled", "exempt", "unknown", "release_changed", "other_release")
    return max((check.verdict for check in checks), key=order.index)
