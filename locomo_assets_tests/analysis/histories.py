"""Histories of releases to compare: each question of each conversation with its verdict."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from locomo_assets.analysis.comparison import Comparison, compare
from locomo_assets.history.database import refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    DATASET,
    answer,
    commit,
    commit_dataset,
    judgement,
    lineage,
)

CORRECT_OR_WRONG = {"+": "correct", "-": "wrong", "?": "unscored"}


class History:
    """A store, its database, and short words for what was measured."""

    def __init__(self, folder: Path) -> None:
        self.store = HistoryStore.open(folder.as_uri())
        self.database_path = folder / "history.duckdb"
        self._times = 0

    def dataset(self, conversations: Sequence[str], questions: int, sha256: str = DATASET) -> None:
        """Questions of categories 1 to 5 in turn."""
        commit_dataset(self.store, conversations, questions, sha256)

    def measure(
        self,
        release: str,
        verdicts: Mapping[str, str],
        *,
        judge: str = "lexical",
        dataset_sha256: str = DATASET,
        ingestion: str | None = None,
        retrieved: Sequence[Mapping[str, Any]] = (),
        **columns: Any,
    ) -> None:
        """A round of asking and judging: conversation → `+-?`, a sign a question."""
        self._times += 1
        for conversation, signs in verdicts.items():
            mark = f"{release}-{self._times}-{conversation}"
            answers = lineage("answers", release, conversation, dataset_sha256=dataset_sha256)
            judged = lineage("judgements", release, conversation, dataset_sha256=dataset_sha256)
            memory = ingestion or mark
            rows = [answer(n, mark, ingestion_id=memory, **columns) for n in range(len(signs))]
            memories = [{"answer_id": row["answer_id"], **one} for row in rows for one in retrieved]
            commit(self.store, answers, {"answers": rows, "retrieved_memories": memories})
            its = {name: columns[name] for name in columns.keys() & {"question_protocol"}}
            said = [
                judgement(n, CORRECT_OR_WRONG[sign], mark, judge=judge, **its)
                for n, sign in enumerate(signs)
            ]
            commit(self.store, judged, {"judgements": said})

    def judge_again(
        self, release: str, conversation: str, signs: str, judge: str, **columns: Any
    ) -> None:
        """Another judge on the answers of the last round."""
        mark = f"{release}-{self._times}-{conversation}"
        said = [
            judgement(n, CORRECT_OR_WRONG[sign], mark, judge=judge, **columns)
            for n, sign in enumerate(signs)
        ]
        commit(self.store, lineage("judgements", release, conversation), {"judgements": said})

    def compare(self, a: str, b: str, **options: Any) -> Comparison:
        """As a person would ask, on the history as it is now."""
        refresh(self.store, self.database_path)
        return compare(self.database_path, a, b, **options)
