"""A release's own row: who named it, and when.

Here: writing it once. Release feeds will name others; `person` is whoever typed the label.
"""

from datetime import UTC, datetime

from locomo_assets import __version__
from locomo_assets.history.lineage import Lineage
from locomo_assets.history.store import HistoryStore


def register_release(store: HistoryStore, release: str, run_id: str) -> bool:
    """Commits the release's row if it has none yet; whether it did."""
    if store.markers(asset="releases", release=release):
        return False
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
    row = {
        "source": "person",
        "published_at": None,
        "registered_at": datetime.now(UTC),
        "url": None,
    }
    attempt.append("releases", [row])
    attempt.commit()
    return True
