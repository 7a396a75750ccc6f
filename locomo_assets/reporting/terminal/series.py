"""What a release's series say, on a terminal: a table or a line for each part of `report`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from locomo_assets.analysis.accuracy import (
    Accuracy,
    by_category,
    by_release,
    newest_first,
    no_verdict_reasons,
)
from locomo_assets.analysis.blame import blame_bounds
from locomo_assets.analysis.comparison.last_looks import read_last_looks
from locomo_assets.analysis.diagnosis import read_diagnoses
from locomo_assets.analysis.gold_faults import read_gold_faults
from locomo_assets.analysis.judge_error import corrected_accuracy, with_known_errors
from locomo_assets.analysis.panel import Panel, read_panels, releases_with_panels
from locomo_assets.analysis.repeated_answers import repeated_answer_warnings
from locomo_assets.analysis.retrieval_recall import read_recall
from locomo_assets.analysis.scores import Scores, abstention_lines, read_scores, reference_lines
from locomo_assets.reporting.panel import (
    Labels,
    Spending,
    agreement_table,
    band_table,
    base_line,
    bounds_line,
    category_rows,
    contested_table,
    headline,
    spending_table,
    title,
)
from locomo_assets.reporting.panel import Table as CaptionedTable
from locomo_assets.reporting.tables import (
    ACCURACY_HEADINGS,
    BOUNDS,
    CEILING_NOTE,
    GOLD_FAULT_HEADINGS,
    RECALL_HEADINGS,
    RECALL_NOTE,
    SCORE_HEADINGS,
    accuracy_cells,
    asked_text,
    gold_fault_cells,
    interval_notes,
    recall_cells,
    score_cells,
)
from locomo_assets.reporting.terminal.table import Screen, Short, print_line, print_table

if TYPE_CHECKING:
    from locomo_assets.runs.forecast import Item

_N = "n scored"
_ACCURACY_SHORT = Short(
    only_wide=("vendor's name", "questions", "correct", "p50 ms", "p95 ms"),
    if_any=(BOUNDS, "unscored", "unanswered", "not judged", "errors %", "cost USD"),
)
_SCORES_SHORT = Short(
    only_wide=("recall@1 %", "MRR", "traceable %", "words", "p50 ms"),
    if_any=("recall@5 %", "recall@10 %"),
)
_RECALL_SHORT = Short(only_wide=("memory tokens",))
_FORECAST_SHORT = Short(only_wide=("input tokens", "output tokens"))
_BAND_SHORT = Short(only_wide=("correct", "n", "split votes"))
_OVER_THE_TABLE = ("release", "system", "judge", "protocol")
_COLUMNS = [i for i, name in enumerate(ACCURACY_HEADINGS) if name not in _OVER_THE_TABLE]
_FIRST = ("category", "accuracy %", "95 % interval", "scored")
_SHORT_COLUMNS = [
    *map(ACCURACY_HEADINGS.index, _FIRST),
    *(i for i in _COLUMNS if ACCURACY_HEADINGS[i] not in _FIRST),
]


def print_accuracy(
    out: Screen, database_path: Path, release: str | None, *, max_error_percent: float
) -> list[Accuracy]:
    """Prints accuracy by category and overall, a table a series; the newest release's first."""
    categories = by_category(database_path, release, max_error_percent=max_error_percent)
    wholes = by_release(database_path, release, max_error_percent=max_error_percent)
    for whole in wholes:
        imported = " (imported)" if whole.imported else ""
        print_line(
            out,
            f"\nrelease {whole.release}{imported} · system {whole.system} · "
            f"judge {whole.judge} · questions {whole.question_protocol} · "
            f"data set {whole.dataset_sha256[:12]} · {asked_text(whole)}",
        )
        rows = [
            row for row in categories if row.release == whole.release and row.series == whole.series
        ]
        texts = [accuracy_cells(row) for row in (*rows, whole)]
        complete = all(row.bounds_percent is None for row in (*rows, whole))
        columns = [
            i for i in (_COLUMNS if out.wide else _SHORT_COLUMNS)
            if not (complete and ACCURACY_HEADINGS[i] == BOUNDS)
        ]  # fmt: skip
        headings = [ACCURACY_HEADINGS[i] for i in columns]
        if not out.wide:
            headings[headings.index("scored")] = _N
        print_table(out, headings, [[text[i] for i in columns] for text in texts], _ACCURACY_SHORT)
    if wholes:
        out.print()
    for line in interval_notes([*categories, *wholes]):
        print_line(out, line)
    return wholes


def print_warnings(out: Screen, database_path: Path, wholes: Sequence[Accuracy]) -> None:
    """Prints what makes the answers of these series look like no answers."""
    for line in repeated_answer_warnings(database_path, wholes):
        print_line(out, f"\n{line}")


def print_stopped(
    out: Screen, database_path: Path, wholes: Sequence[Accuracy], release: str | None = None
) -> None:
    """Prints what runs that stop once they are decided said last: a release's, or all stopped."""
    looks = read_last_looks(database_path)
    for name in dict.fromkeys(whole.release for whole in wholes):
        one = looks.get(name)
        if one is not None and (release is not None or one.is_stopped):
            print_line(out, f"\n{one.sentence}")


def print_reasons(out: Screen, database_path: Path, wholes: Sequence[Accuracy]) -> None:
    """Prints why questions have no verdict: for each outcome of a series its commonest reason."""
    for whole in wholes:
        for one in no_verdict_reasons(database_path, whole):
            print_line(
                out,
                f"\n{one.questions_in_all} {one.verdict}, judge {whole.judge}: "
                f"{one.questions} of them because {one.reason}",
            )


def print_scores(
    out: Screen, database_path: Path, release: str | None, wholes: Sequence[Accuracy]
) -> None:
    """Prints the scores that need no judge, a table a series, and what the memory adds."""
    rows = newest_first(read_scores(database_path, release), wholes)
    abstentions = abstention_lines(database_path, release)
    of_series: dict[tuple[str, ...], list[Scores]] = {}
    for row in rows:
        of_series.setdefault(row.key, []).append(row)
    for whole in (row for row in rows if row.category is None):
        print_line(
            out,
            f"\nwithout a judge: release {whole.release} · system {whole.system} · "
            f"questions {whole.question_protocol} · data set {whole.dataset_sha256[:12]}",
        )
        cells = [score_cells(row) for row in of_series[whole.key]]
        print_table(out, SCORE_HEADINGS, cells, _SCORES_SHORT)
        if whole.key in abstentions:
            print_line(out, abstentions[whole.key])
    lines = reference_lines(database_path, release, wholes)
    if lines:
        out.print()
    for line in lines:
        print_line(out, line)


def print_recall(
    out: Screen, database_path: Path, release: str | None, wholes: Sequence[Accuracy]
) -> None:
    """Prints recall and accuracy at each k, a table for series that share their retrievals."""
    rows = read_recall(database_path, release)
    for family in dict.fromkeys(row.family for row in newest_first(rows, wholes)):
        release_of, system, protocol, dataset = family
        print_line(
            out,
            f"\nretrieval: release {release_of} · system {system} · questions {protocol} · "
            f"data set {dataset[:12]}",
        )
        cells = [recall_cells(row) for row in rows if row.family == family]
        print_table(out, RECALL_HEADINGS, cells, _RECALL_SHORT)
    if rows:
        print_line(out, RECALL_NOTE)


def print_diagnosis(out: Screen, database_path: Path, wholes: Sequence[Accuracy]) -> None:
    """Prints why answers are wrong, and how many stay wrong with the evidence in hand."""
    diagnoses, bounds = read_diagnoses(database_path, wholes), blame_bounds(database_path, wholes)
    for whole, found, bound in zip(wholes, diagnoses, bounds, strict=True):
        name = f"{whole.release}, judge {whole.judge}, questions {whole.question_protocol}"
        if found.wrong:
            print_line(out, f"\n{name}: {found.line()}")
        if bound is not None:
            print_line(out, bound.line())


def print_gold_faults(
    out: Screen, database_path: Path, wholes: Sequence[Accuracy], audit_sha256: str | None
) -> None:
    """Prints accuracy with and without the faulty gold answers, a table a series."""
    rows = read_gold_faults(database_path, None, audit_sha256)
    for whole in wholes:
        of_series = [row for row in rows if row.is_of(whole)]
        if of_series:
            print_line(
                out,
                f"\ngold faults: release {whole.release} · system {whole.system} · "
                f"judge {whole.judge} · questions {whole.question_protocol} · "
                f"audit {of_series[0].audit_sha256[:12]}",
            )
            cells = [gold_fault_cells(row, whole) for row in of_series]
            print_table(out, GOLD_FAULT_HEADINGS, cells)
            print_line(out, CEILING_NOTE)
            for row in of_series:
                if row.is_above_ceiling:
                    print_line(out, f"warning: {row.ceiling_warning()}")


def print_judge_errors(out: Screen, database_path: Path, wholes: Sequence[Accuracy]) -> None:
    """Prints each series' accuracy corrected for its judge's errors, where any are known."""
    for whole in with_known_errors(database_path, wholes):
        found = corrected_accuracy(database_path, whole)
        if found.errors is not None and whole.valid:
            print_line(
                out,
                f"\n{whole.release}, judge {whole.judge}, questions {whole.question_protocol}: "
                f"{found.line()}",
            )


def print_forecast(out: Screen, items: "Sequence[Item]") -> None:
    """Prints a launch's forecast item by item, and the sums."""
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
    sums = (
        "all",
        sum(one.calls for one in items),
        round(sum(one.input_tokens for one in items)),
        round(sum(one.output_tokens for one in items)),
        f"{sum(one.cost_usd or 0.0 for one in items):.2f}",
        f"{sum(one.minutes for one in items):.1f}",
        "USD where a price is known",
    )
    headings = ("", "calls", "input tokens", "output tokens", "USD", "minutes", "per one")
    print_table(out, headings, [*rows, sums], _FORECAST_SHORT)
    print_line(
        out,
        "A forecast: no call was made. What is stored already is not paid for again, nor counted.",
    )


def print_panel(out: Screen, panel: Panel, labels: Labels | None = None, show: int = 0) -> None:
    """Prints what several judges made of the same answers, and the first `show` they differ on."""
    print_line(out, f"\n{title(panel)}\n{headline(panel)}.\n")
    _print_captioned(out, band_table(panel, labels), _BAND_SHORT)
    tables = []
    if len(panel.judges) > 1:
        tables += [agreement_table(panel), category_rows(panel)]
    if show and panel.contested:
        tables.append(contested_table(panel, show))
    for one in tables:
        _print_captioned(out, one)
    print_line(out, f"{bounds_line(panel)}\n{base_line(panel)}")


def print_panels(out: Screen, database_path: Path, wholes: Sequence[Accuracy]) -> None:
    """Prints the band of each release of which several judges scored the same answers."""
    several = releases_with_panels(database_path)
    for release in dict.fromkeys(whole.release for whole in wholes if whole.release in several):
        for panel in newest_first(read_panels(database_path, release), wholes):
            print_line(out, f"\njudges: {title(panel)}\n{headline(panel)}. {bounds_line(panel)}")
            _print_captioned(out, band_table(panel), _BAND_SHORT)


def print_spending(out: Screen, spent: Sequence[Spending]) -> None:
    """Prints the forecast of each judge beside what it took."""
    if spent:
        _print_captioned(out, spending_table(spent))


def _print_captioned(out: Screen, table: CaptionedTable, short: Short | None = None) -> None:
    print_line(out, table.caption)
    print_table(out, table.headings, table.rows, short)
    out.print()
