"""A process that commits attempts to a history and prints the id of each.

Usage: `python -m locomo_assets_tests.history.writer URL WRITER COMMITS`.
"""

import sys

from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import answer, call, lineage

FILE_ROWS = 5


def main(url: str, writer: str, commits: int) -> None:
    store = HistoryStore.open(url)
    for number in range(commits):
        attempt = store.begin(lineage("answers", f"r{number % 3}", "conv-1", f"run-{writer}"))
        mark = f"{writer}-{number}"
        attempt.append("answers", [answer(i, mark) for i in range(FILE_ROWS)])
        attempt.append("answers", [answer(i, mark) for i in range(FILE_ROWS, 2 * FILE_ROWS)])
        attempt.append("calls", [call(i) for i in range(FILE_ROWS)])
        print(attempt.commit().attempt_id, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
