"""A process that commits attempts to a history until told to stop, and says so after each.

`python -m locomo_assets_tests.history.writing URL WRITER COMMITS`; each commit's attempt has two
parts and is acknowledged by its id on a line of its own.
"""

import sys

from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import answer, call, lineage

PART_ROWS = 5


def main(url: str, writer: str, commits: int) -> None:
    store = HistoryStore.open(url)
    for number in range(commits):
        attempt = store.begin(lineage("answers", f"r{number % 3}", "conv-1", f"run-{writer}"))
        mark = f"{writer}-{number}"
        attempt.append("answers", [answer(i, mark) for i in range(PART_ROWS)])
        attempt.append("answers", [answer(i, mark) for i in range(PART_ROWS, 2 * PART_ROWS)])
        attempt.append("calls", [call(i) for i in range(PART_ROWS)])
        print(attempt.commit().attempt_id, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
