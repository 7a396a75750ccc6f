"""A release's row, whether its label is taken, and the guard that it is what was measured.

The guard reads the feed before paid work and after it. `as_labelled`: the newest release is the
label. `other_release`: it is another, nothing is spent. `release_changed`: it changed meanwhile.
`exempt`: a label that claims no release. `unknown`: no feed, or it can't be read.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from string import ascii_lowercase, digits
from typing import Any

from locomo_assets import __version__
from locomo_assets.errors import LocomoError
from locomo_assets.feeds.feed import FeedError, FeedRelease, FeedResponse, ReleaseFeed
from locomo_assets.history.provenance import Lineage, Manifest, UnfinishedAttempt
from locomo_assets.history.store import HistoryStore

IMPORTED = "imported"
PERSON = "person"
SCHEDULE = "schedule"

FULL = "full"
SAMPLE = "sample"

ADHOC = "adhoc-"
WEEKLY = "weekly-"
DAILY = "daily-"


class ReleaseTakenError(LocomoError):
    """The label belongs to results of another kind: measured elsewhere, or of a sample."""

    exit_code = 2


def refuse_imported(store: HistoryStore, release: str) -> None:
    """Raises ReleaseTakenError where the release's results were imported.

    What was measured here and what was claimed elsewhere never stand under one name.
    """
    if store.manifests(asset="imported_results", release=release):
        raise ReleaseTakenError(
            f"release {release}: its results were imported and can't be added to; choose another "
            f"label, or have its answers judged: `locomo-assets judge --release {release}`"
        )


def refuse_taken(store: HistoryStore, release: str, *, kind: str = FULL) -> bool:
    """Whether the release has its row already.

    Raises ReleaseTakenError where its results were imported, or are of another kind.
    """
    refuse_imported(store, release)
    manifests = store.manifests(asset="releases", release=release)
    taken = manifests[-1].extra.get("kind", FULL) if manifests else kind
    if taken != kind:
        raise ReleaseTakenError(
            f"release {release}: its results are of the kind {taken}, not {kind}, and the two "
            "are never mixed; choose another label"
        )
    return bool(manifests)


def is_measured(store: HistoryStore, release: str, conversations: Sequence[str]) -> bool:
    """Whether a turn of these was ingested or a question answered, by a killed run too.

    True as well where the history can't be read.
    """
    try:
        for asset, table, column in (
            ("ingested_memories", "ingested_turns", "dia_id"),
            ("answers", "answers", "outcome"),
        ):
            for name in conversations:
                attempts: list[Manifest | UnfinishedAttempt] = [
                    *store.manifests(asset, release, name),
                    *store.unfinished(asset, release, name),
                ]
                values = store.read(table, attempts, (column,))[column].to_pylist()
                if any(value != "unanswered" for value in values):
                    return True
    except (LocomoError, OSError):
        return True
    return False


def adhoc_label() -> str:
    """A label for what nobody named. Two of the same second differ, on two machines as well."""
    # Short enough for a table of 80 columns.
    letters = "".join(secrets.choice(ascii_lowercase + digits) for _ in range(4))
    return f"{ADHOC}{datetime.now(UTC):%Y%m%dT%H%M%S}-{letters}"


def claims_no_release(label: str) -> bool:
    """Whether a label is of a person's or a schedule's own making, and names no release."""
    return label.startswith((ADHOC, WEEKLY, DAILY))


def release_row(
    source: str, *, kind: str = FULL, found: FeedRelease | None = None, missed: bool = False
) -> dict[str, object]:
    """A row of the history's `releases`, registered now."""
    return {
        "source": source,
        "published_at": None if found is None else found.published_at,
        "registered_at": datetime.now(UTC),
        "url": None if found is None else found.url,
        "kind": kind,
        "missed": missed,
    }


def register_release(store: HistoryStore, release: str, run_id: str, *, kind: str = FULL) -> bool:
    """Commits the release's row if it has none yet; whether it did.

    Raises ReleaseTakenError where the release's results were imported, or are of another kind.
    """
    if refuse_taken(store, release, kind=kind):
        return False
    source = SCHEDULE if release.startswith((WEEKLY, DAILY)) else PERSON
    _commit(store, release, run_id, release_row(source, kind=kind))
    return True


def register_found(
    store: HistoryStore, found: FeedRelease, *, source: str, run_id: str, missed: bool
) -> bool:
    """Commits what a feed told of a release, unless that was said last; whether it did.

    Raises ReleaseTakenError where results were imported under its label.
    """
    refuse_imported(store, found.label)
    said = {"source": source, "missed": missed, "kind": FULL}
    manifests = store.manifests(asset="releases", release=found.label)
    if manifests and {name: manifests[-1].extra.get(name) for name in said} == said:
        return False
    row = release_row(source, found=found, missed=missed)
    _commit(store, found.label, run_id, row)
    return True


def _commit(store: HistoryStore, release: str, run_id: str, row: dict[str, object]) -> None:
    extra = {name: row[name] for name in ("source", "missed", "kind")}
    attempt = store.begin(_lineage("releases", release, run_id, extra))
    attempt.append("releases", [row])
    attempt.commit()


def _lineage(asset: str, release: str, run_id: str, extra: dict[str, Any]) -> Lineage:
    return Lineage(
        asset=asset,
        run_id=run_id,
        release=release,
        conversation=None,
        code_version=__version__,
        dataset_sha256=None,
        system=None,
        extra=extra,
    )


BASELINES = "pinned_baselines"


def pin_baseline(store: HistoryStore, release: str, run_id: str, *, pinned: bool = True) -> None:
    """Commits that later releases are compared with this one, or no longer (`pinned` false)."""
    attempt = store.begin(_lineage(BASELINES, release, run_id, {"pinned": pinned}))
    attempt.append(BASELINES, [{"pinned": pinned, "noted_at": datetime.now(UTC)}])
    attempt.commit()


TABLE = "release_checks"
OTHER = "other_release"


class OtherReleaseError(LocomoError):
    """What would be measured is not the release that it would be called by."""


@dataclass(frozen=True, slots=True)
class FeedStatus:
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
    release: str, moment: str, heard: FeedStatus, *, override: bool
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
        return OTHER, f"the feed's newest release is {heard.release}"
    return "release_changed", f"the feed's newest release became {heard.release} meanwhile"


@dataclass
class ReleaseGuard:
    """Asks the feed, for all conversations of a run; `override` lets every label pass."""

    feed: ReleaseFeed | None = None
    override: bool = False
    _known: FeedResponse | None = field(default=None, init=False)
    _heard: FeedStatus = field(default=FeedStatus(None), init=False)
    _began: float = field(default=-1.0, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def check(self, release: str, stage: str, moment: str) -> ReleaseCheck:
        """The verdict now."""
        heard = await self._hear()
        verdict, reason = verdict_on(release, moment, heard, override=self.override)
        name = None if self.feed is None else self.feed.name
        now = datetime.now(UTC)
        return ReleaseCheck(stage, moment, verdict, name, heard.release, reason, now)

    async def _hear(self) -> FeedStatus:
        """A reading that began after this was called; those who wait for their turn share it."""
        if self.feed is None:
            return FeedStatus(None, "no release feed is configured (LOCOMO_RELEASE_FEED)")
        called = time.monotonic()
        async with self._turn:
            if self._began <= called:
                self._began = time.monotonic()
                self._heard = await asyncio.to_thread(self._read, self.feed)
            return self._heard

    def _read(self, feed: ReleaseFeed) -> FeedStatus:
        try:
            reading = feed.read(self._known)
        except FeedError as error:
            return FeedStatus(None, str(error))
        if reading.releases is not None:
            self._known = reading
        newest = self._known.releases[-1] if self._known and self._known.releases else None
        return (
            FeedStatus(None, "the feed tells nothing")
            if newest is None
            else FeedStatus(newest.label)
        )


def refuse_other_release(store: HistoryStore, lineage: Lineage, check: ReleaseCheck) -> None:
    """Where another release is current: notes that in the history and raises OtherReleaseError."""
    if check.verdict != OTHER:
        return
    attempt = store.begin(replace(lineage, asset=TABLE))
    attempt.append(TABLE, [check.row()])
    attempt.commit()
    raise other_release(str(lineage.release), check)


def other_release(release: str, check: ReleaseCheck) -> OtherReleaseError:
    """The refusal of a check whose verdict is `OTHER`."""
    return OtherReleaseError(
        f"release {release} is not what would be measured: {check.reason} ({check.feed}); "
        "measure that one, choose a label adhoc-…, or set LOCOMO_ALLOW_OTHER_RELEASE=1; nothing "
        "was spent, and what is stored can still be judged again"
    )


def worst(*checks: ReleaseCheck) -> str:
    """The verdict on work by those before and after it."""
    task = ("as_labelled", "exempt", "unknown", "release_changed", "other_release")
    return max((check.verdict for check in checks), key=task.index)
