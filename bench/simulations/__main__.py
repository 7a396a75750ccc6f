"""`python -m bench.simulations`: prints the tables of the docs, or writes them there."""

import argparse
import time

from bench.simulations import (
    comparing,
    coverage,
    declines,
    diagnosis,
    drift,
    gold_faults,
    judge_error,
    page,
    planning,
    stopping,
)

TABLES: dict[str, page.Table] = {
    **coverage.TABLES,
    **comparing.TABLES,
    **drift.TABLES,
    "judge-error": judge_error.table,
    "gold-faults": gold_faults.table,
    "declines": declines.table,
    "diagnosis": diagnosis.table,
    **planning.TABLES,
    **stopping.TABLES,
}


def main() -> None:
    """Makes the tables given, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(TABLES), help="a table's name")
    parser.add_argument("--write", action="store_true", help="into its page in docs/")
    given = parser.parse_args()
    for name in given.only or TABLES:
        begun = time.monotonic()
        table = TABLES[name]()
        print(f"## {name} ({time.monotonic() - begun:.0f} s)\n\n{table}\n", flush=True)
        if given.write:
            page.write({name: table}, page.page_of(name))


if __name__ == "__main__":
    main()
