"""A row of the table of faults and outcomes, and the table as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets_tests.chaos.outcome import Outcome

PROTOCOLS = ("isolated", "published")

COLUMNS = (
    "fault",
    "protocol",
    "faults",
    "turns",
    "doubled unnoticed",
    "doubled noticed",
    "lost",
    "questions",
    "twice in a thread",
    "asked again, unanswered",
    "asked again, answered",
    "exit codes",
)
BEGIN = "<!-- made by `make chaos` -->"
END = "<!-- end of what `make chaos` made -->"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one fault in one protocol: how often it struck, and the runs' exit codes."""

    fault: str
    protocol: str
    injected: int
    outcome: Outcome
    exit_codes: Sequence[int]

    def is_right(self) -> bool:
        """Whether the goal is reached: nothing doubled unnoticed, lost, or paid twice."""
        got = self.outcome
        return not (got.doubled or got.lost or got.asked_again)

    def cells(self) -> tuple[str, ...]:
        """In the order of `COLUMNS`."""
        got = self.outcome
        numbers = (
            self.injected,
            got.turns,
            got.doubled,
            got.noticed,
            got.lost,
            got.questions,
            got.in_one_thread,
            got.unanswered_again,
            got.asked_again,
        )
        codes = ", ".join(map(str, self.exit_codes))
        return (self.fault, self.protocol, *map(str, numbers), codes)


def markdown(results: Iterable[Result]) -> str:
    """The table."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(one.cells() for one in results)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_between_marks(page: Path, table: str) -> None:
    """Put the table in the place of the one that the page has."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")


def rows_between_marks(page: Path) -> list[tuple[str, ...]]:
    """The cells of the page's table, with the columns' names and without the line below them."""
    table = page.read_text().partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [rows[0], *rows[2:]] if rows else []
