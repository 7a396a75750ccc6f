"""How often the published judge accepted answers to questions with a faulty gold answer.

No simulation: it imports the published files, with the audit, into a history of its own. The files
are at `LOCOMO_BENCH_DATA`, or beside the repository.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.simulations.page import markdown
from bench.simulations.shared_data import AUDIT, DATASET, PUBLISHED, present
from locomo_assets.history.database import query

_SQL = """
SELECT
    coalesce(category || ' ' || official_name, 'all scored') AS shown,
    faulty_correct,
    faulty_given,
    correct_without_faults,
    scored_without_faults,
    round(100 * accuracy, 2),
    round(100 * ceiling, 2)
FROM accuracy_and_gold_faults
WHERE category IS NULL OR category <> 5
ORDER BY category NULLS LAST
"""


def table() -> str:
    """Markdown: a row for each category and for the whole."""
    rows = [
        (
            shown,
            f"{faulty_correct} of {faulty} ({100 * faulty_correct / faulty:.0f} %)",
            f"{others_correct:,} of {others:,} ({100 * others_correct / others:.0f} %)",
            f"{accuracy:.2f}",
            f"{ceiling:.2f}",
        )
        for shown, faulty_correct, faulty, others_correct, others, accuracy, ceiling in measure()
    ]
    head = ["category", "accepted, gold faulty", "accepted, others", "accuracy %", "ceiling %"]
    return markdown(head, rows)


def measure() -> list[tuple[str, int, int, int, int, float, float]]:
    """Each category's name, accepted and all of the faulty and of the others, accuracy, ceiling."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "locomo_assets.cli", "import", "backboard-published"]
        subprocess.run(
            [*command, str(present(PUBLISHED)), "--dataset", str(present(DATASET))],
            env={**os.environ, "LOCOMO_HOME": folder, "LOCOMO_AUDIT": str(present(AUDIT))},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        _, rows = query(Path(folder) / "history" / "history.duckdb", _SQL)
    return [(str(row[0]), *row[1:]) for row in rows]
