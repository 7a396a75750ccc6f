"""What may be called a release, and its own row: who named it, and when.

Here: that row, written once for each thing there is to say, and what a label must be. `person` is
whoever typed the label, `schedule` made it of a date, `imported` are results that were measured
elsewhere (`imports`); else a release feed of that kind told of it (`feeds`).
"""

import re
from datetime import UTC, datetime

from locomo_assets import __version__
from locomo_assets.errors import LocomoError
from locomo_assets.feeds.release import FeedRelease
from locomo_assets.history.lineage import Lineage
from locomo_assets.history.store import HistoryStore

IMPORTED = "imported"
PERSON = "person"
SCHEDULE = "schedule"

FULL = "full"
SAMPLE = "sample"

ADHOC = "adhoc-"
WEEKLY = "weekly-"
DAILY = "daily-"

_LABEL = re.compile(r"[^\s|,*/\\\[\]]{1,100}")


class BadLabelError(LocomoError):
    """A release, or who or what was measured, can't be called so."""

    exit_code = 2


class ReleaseTakenError(LocomoError):
    """The label belongs to results of another kind: measured elsewhere, or of a sample."""

    exit_code = 2


def check_label(label: str, kind: str = "release") -> None:
    """Raises BadLabelError for a label that the UI or the command line could not take back."""
    if not _LABEL.fullmatch(label):
        raise BadLabelError(
            f"{kind} {label!r:.120}: a label has 1 to 100 characters, without spaces and | , "
            "* / \\ [ ]; name it like r1 or 2026-11-23"
        )


def refuse_imported(store: HistoryStore, release: str) -> None:
    """Raises ReleaseTakenError where the release's results were imported.

    What was measured here and what was claimed elsewhere never stand under one name.
    """
    if store.markers(asset="imported_results", release=release):
        raise ReleaseTakenError(
            f"release {release}: its results were imported and can't be added to; choose another "
            "label"
        )


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
    markers = store.markers(asset="releases", release=release)
    if markers:
        taken = markers[-1].extra.get("kind", FULL)
        if taken != kind:
            raise ReleaseTakenError(
                f"release {release}: its results are of the kind {taken}, not {kind}, and the two "
                "are never mixed; choose another label"
            )
        return False
    refuse_imported(store, release)
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
    markers = store.markers(asset="releases", release=found.label)
    if markers and {name: markers[-1].extra.get(name) for name in said} == said:
        return False
    row = release_row(source, found=found, missed=missed)
    _commit(store, found.label, run_id, row)
    return True


def _commit(store: HistoryStore, release: str, run_id: str, row: dict[str, object]) -> None:
    attempt = store.begin(
        Lineage(
            asset="releases",
            run_id=run_id,
            release=release,
            conversation=None,
            code_version=__version__,
            dataset_sha256=None,
            system=None,
            extra={name: row[name] for name in ("source", "missed", "kind")},
        )
    )
    attempt.append("releases", [row])
    attempt.commit()
