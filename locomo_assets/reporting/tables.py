"""Tables on a terminal. Here: layout only."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from locomo_assets.analysis import gold_faults, scores
from locomo_assets.analysis.accuracy import (
    HEADINGS,
    Accuracy,
    by_category,
    by_release,
    cells,
)
from locomo_assets.runs.forecast import Item


def console() -> Console:
    """Standard output: as wide as the terminal; where there is none, wide enough not to wrap."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=200)


def print_table(out: Console, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows under headings; NULL is shown as such."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*("NULL" if cell is None else str(cell) for cell in row))
    out.print(table, markup=False)


_SHOWN = ("category", "vendor's name", "questions", "correct", "scored", "accuracy %",
          "95 % interval", "clustered SE", "unscored", "unanswered", "not judged", "errors %",
          "p50 ms", "p95 ms",
          "cost USD")  # fmt: skip


def accuracy_table(
    out: Console, database_path: Path, release: str | None, *, max_error_percent: float
) -> list[Accuracy]:
    """Accuracy by category and overall, a table a series; returns the series, newest first."""
    parts = by_category(database_path, release, max_error_percent=max_error_percent)
    series_of_release = by_release(database_path, release, max_error_percent=max_error_percent)
    places = [HEADINGS.index(name) for name in _SHOWN]
    for whole in series_of_release:
        series = (whole.release, whole.system, whole.judge, whole.question_protocol)
        imported = " (imported)" if whole.imported else ""
        out.print(
            f"\nrelease {whole.release}{imported} · system {whole.system} · "
            f"judge {whole.judge} · questions {whole.question_protocol} · "
            f"data set {whole.dataset_sha256[:12]}",
            markup=False,
            highlight=False,
        )
        rows = [
            part
            for part in parts
            if (part.release, part.system, part.judge, part.question_protocol) == series
            and part.dataset_sha256 == whole.dataset_sha256
        ]
        texts = [cells(row) for row in (*rows, whole)]
        print_table(out, _SHOWN, [[text[place] for place in places] for text in texts])
    return series_of_release


def scores_table(out: Console, database_path: Path, release: str | None) -> None:
    """What is scored beside the judge, series by series, and what the memory adds."""
    rows = scores.read_scores(database_path, release)
    for whole in (row for row in rows if row.category is None):
        out.print(
            f"\nbeside the judge: release {whole.release} · system {whole.system} · "
            f"questions {whole.question_protocol} · data set {whole.dataset_sha256[:12]}",
            markup=False,
            highlight=False,
        )
        shown = [scores.cells(row) for row in rows if row.series == whole.series]
        print_table(out, scores.HEADINGS, shown)
        declined = scores.abstention_line(database_path, whole)
        if declined:
            out.print(declined, markup=False, highlight=False)
    references = scores.reference_text(database_path, release)
    if references:
        out.print()
    for line in references:
        out.print(line, markup=False, highlight=False)


def gold_faults_table(
    out: Console, database_path: Path, series: Sequence[Accuracy], audit_sha256: str | None
) -> None:
    """As published, without the questions of faulty gold answers, and the ceiling, by series."""
    rows = gold_faults.read_gold_faults(database_path, None, audit_sha256)
    for whole in series:
        its = [row for row in rows if row.is_of(whole)]
        if its:
            out.print(
                f"\ngold faults: release {whole.release} · system {whole.system} · "
                f"judge {whole.judge} · questions {whole.question_protocol} · "
                f"audit {its[0].audit_sha256[:12]}",
                markup=False,
                highlight=False,
            )
            texts = [gold_faults.cells(row, whole) for row in its]
            print_table(out, gold_faults.HEADINGS, texts)


def forecast_table(out: Console, items: Sequence[Item]) -> None:
    """A launch's forecast, line by line, and its sum."""
    rows = [
        (
            one.kind,
            one.calls,
            round(one.input_tokens),
            round(one.output_tokens),
            "no price" if one.cost_usd is None else f"{one.cost_usd:.2f}",
            f"{one.minutes:.1f}",
            one.source,
        )
        for one in items
    ]
    known = sum(one.cost_usd or 0.0 for one in items)
    sums = (sum(one.calls for one in items), round(sum(one.input_tokens for one in items)),
            round(sum(one.output_tokens for one in items)), f"{known:.2f}",
            f"{sum(one.minutes for one in items):.1f}")  # fmt: skip
    headings = ("", "calls", "input tokens", "output tokens", "USD", "minutes", "per one")
    print_table(out, headings, [*rows, ("all", *sums, "USD of what has a price")])
    out.print("A forecast: no call was made. What is stored already comes off.", highlight=False)
