"""What was spent is counted once, whoever commits while it is being counted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.storage import LocalStorage
from locomo_assets.history.store import HistoryStore
from locomo_assets.runs.forecast import spent_usd
from locomo_assets_tests.history.factories import call, commit_answers, lineage

PARTITIONS = [("r1", "conv-1")]


class Meanwhile(LocalStorage):
    """Something happens once: as soon as a path with these words is read or listed."""

    def __init__(self, folder: Path, verb: str, words: str, then: Callable[[], object]) -> None:
        super().__init__(folder)
        self._when = (verb, words)
        self._then: list[Callable[[], object]] = [then]

    def _happen(self, verb: str, path: str) -> None:
        if self._then and verb == self._when[0] and self._when[1] in path:
            self._then.pop()()

    def get(self, path: str) -> bytes:
        self._happen("get", path)
        return super().get(path)

    def list(self, prefix: str) -> list[str]:
        self._happen("list", prefix)
        return super().list(prefix)


@pytest.mark.parametrize(
    ("verb", "words"),
    [("list", "tables/calls"), ("list", "attempts/asset=answers"), ("get", "calls")],
)
def test_what_commits_meanwhile_is_counted_once(tmp_path: Path, verb: str, words: str) -> None:
    store = HistoryStore.open(tmp_path.as_uri())
    commit_answers(store, lineage("answers"))
    attempt = store.begin(lineage("answers", run_id="run-2"))
    for number in range(3):
        attempt.append("calls", [call(number, cost_usd=1.0)])

    def then() -> None:
        attempt.merge()
        attempt.commit()

    slow = HistoryStore(Meanwhile(tmp_path, verb, words, then), store.history_id)
    assert spent_usd(slow, PARTITIONS) == pytest.approx(10 * 0.001 + 3)
    assert spent_usd(store, PARTITIONS) == pytest.approx(10 * 0.001 + 3)


def test_what_never_commits_and_what_is_taken_over_count_once(tmp_path: Path) -> None:
    store = HistoryStore.open(tmp_path.as_uri())
    left = store.begin(lineage("answers"))
    left.append("calls", [call(0, cost_usd=1.0), call(1, cost_usd=None)])
    assert spent_usd(store, PARTITIONS) == pytest.approx(1.0)
    (found,) = store.unfinished("answers", "r1", "conv-1")
    attempt = store.begin(lineage("answers", run_id="run-2"))
    attempt.adopt(store, found)
    attempt.commit()
    assert spent_usd(store, PARTITIONS) == pytest.approx(1.0)
    assert spent_usd(store, [("r2", "conv-1")]) == 0


def test_damage_is_told(tmp_path: Path) -> None:
    store = HistoryStore.open(tmp_path.as_uri())
    manifest = commit_answers(store, lineage("answers"))
    store.storage.delete([part.path for part in manifest.data_files])
    with pytest.raises(HistoryDamagedError, match="is missing"):
        spent_usd(store, PARTITIONS)
