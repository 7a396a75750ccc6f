"""What may be called a release, and its own row: who named it, and when.

Here: that row, written once, and what a label must be. `person` is whoever typed the label,
`imported` are results that were measured elsewhere (`imports`).
"""

import re
from datetime import UTC, datetime

from locomo_assets import __version__
from locomo_assets.errors import LocomoError
from locomo_assets.history.lineage import Lineage
from locomo_assets.history.store import HistoryStore

IMPORTED = "imported"
PERSON = "person"

_LABEL = re.compile(r"[^\s|,*/\\\[\]]{1,100}")


class BadLabelError(LocomoError):
    """A release, or who or what was measured, can't be called so."""

    exit_code = 2


class ReleaseTakenError(LocomoError):
    """The label belongs to results that were measured elsewhere."""

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


def release_row(source: str) -> dict[str, object]:
    """A row of the history's `releases`, registered now."""
    return {"source": source, "published_at": None, "registered_at": datetime.now(UTC), "url": None}


def register_release(store: HistoryStore, release: str, run_id: str) -> bool:
    """Commits the release's row if it has none yet; whether it did.

    Raises ReleaseTakenError where the release's results were imported.
    """
    if store.markers(asset="releases", release=release):
        return False
    refuse_imported(store, release)
    attempt = store.begin(
        Lineage(
            asset="releases",
            run_id=run_id,
            release=release,
            conversation=None,
            code_version=__version__,
            dataset_sha256=None,
            system=None,
        )
    )
    attempt.append("releases", [release_row(PERSON)])
    attempt.commit()
    return True
