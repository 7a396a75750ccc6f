"""`python -m bench`: measures, prints a table, writes JSON; see `make bench`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from bench import cli, history, http2, object_store, overhead, page, requests, whole
from bench.figures import Figure, table, write

_ALL = ("whole", "busy", "overhead", "requests", "http2", "page", "history", "s3", "cli")
Part = Callable[[], list[Figure]]


def parts(source: Path, *, share: float, runs: int) -> dict[str, list[Part]]:
    """Topic → its measurements. `runs` is the largest history, in steps of ten.

    `path` is the part of `whole` that needs no reference, which takes twenty times as long.
    """
    sizes = [size for size in (10, 100, 1000, 10_000) if size <= runs]
    return {
        "whole": [lambda: whole.side_by_side(source, share=share)],
        "path": [lambda: whole.along_the_path(source, share=share)],
        "busy": [lambda: whole.kept_busy(source, share=max(share, 0.3), in_flight=8)],
        "overhead": [
            overhead.loading,
            overhead.sample_run,
            lambda: overhead.one_conversation(source, share=share),
            lambda: overhead.growth(source, share=share / 2, copies=10),
        ],
        "requests": [lambda: requests.compared(source, share=share)],
        "http2": [http2.compared],
        "page": [lambda: page.of_two_releases(source, share=share)],
        "s3": [lambda: object_store.growing(sizes)],
        "history": [history.committing, lambda: history.growing(sizes)],
        "cli": [lambda: cli.of_commands(100)],
    }


def main() -> None:
    """Measures the topics given, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="a LoCoMo file")
    parser.add_argument(
        "--share", type=float, default=0.1, help="of each conversation's turns and questions"
    )
    parser.add_argument("--runs", type=int, default=1000, help="of the largest history")
    parser.add_argument("--only", action="append", help="a topic; may be given several times")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where figures go")
    given = parser.parse_args()
    figures: list[Figure] = []
    for topic, measurements in parts(given.dataset, share=given.share, runs=given.runs).items():
        if topic not in (given.only or _ALL):
            continue
        for measure in measurements:
            figures += measure()
            write(given.json, figures)
            print(table(figures[-1:]).splitlines()[-1], flush=True)
    print(table(figures))


if __name__ == "__main__":
    main()
