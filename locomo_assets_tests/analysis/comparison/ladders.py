"""A measured ladder in a history, for whoever shows one."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import ASKED_AT, commit, lineage

Step = Mapping[str, Any]


def step(name: str, parent: str | None, label: str, judge: str = "lexical", **columns: Any) -> Step:
    """A row of `ladder_steps`."""
    return {
        "step": name,
        "parent_step": parent,
        "changed": f"what {name} changes",
        "configuration_json": "{}",
        "question_protocol": label,
        "judge": judge,
        **columns,
    }


def commit_ladder(
    store: HistoryStore, steps: Sequence[Step], *, ladder: str = "mine", minutes: int = 0
) -> None:
    """Writes the steps as what was noted of release r1 so many minutes later."""
    noted = {"ladder": ladder, "file_sha256": "f" * 64}
    at = {"noted_at": ASKED_AT + timedelta(minutes=minutes)}
    rows = [{**noted, **at, "step_index": n, **one} for n, one in enumerate(steps)]
    commit(store, lineage("ladder", "r1", None), {"ladder_steps": rows})
