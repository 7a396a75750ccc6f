"""Rows of `analysis` as text: headings and cells, and Markdown tables for Dagster."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from locomo_assets.analysis.accuracy import Accuracy, Sample
from locomo_assets.analysis.gold_faults import GoldFaults
from locomo_assets.analysis.retrieval_recall import RecallAtK
from locomo_assets.analysis.scores import Scores
from locomo_assets.reporting.markdown import markdown_table

if TYPE_CHECKING:
    from locomo_assets.http.limits import LimitChange

MAX_LIMIT_CHANGES = 100
MAX_SAMPLES = 60

BOUNDS = "bounds %"
"""The column that is left out where no verdict is missing."""

ACCURACY_HEADINGS = (
    "release",
    "category",
    "vendor's name",
    "questions",
    "correct",
    "scored",
    "accuracy %",
    "95 % interval",
    BOUNDS,
    "unscored",
    "unanswered",
    "not judged",
    "errors %",
    "p50 ms",
    "p95 ms",
    "cost USD",
    "system",
    "judge",
    "protocol",
)
SCORE_HEADINGS = ("category", "F1 %", "exact %", "recall@1 %", "recall@5 %", "recall@10 %", "MRR",
                  "traceable %", "words", "p50 ms")  # fmt: skip
RECALL_HEADINGS = ("k", "evidence recall %", "accuracy %", "memory tokens", "questions", "judge")
RECALL_NOTE = (
    "Recall: the share of a question's evidence turns among the first k retrieved memories. Memory "
    "tokens: a question's, estimated by their share of the prompt. –: not known, or no series with "
    "that k."
)
GOLD_FAULT_HEADINGS = ("category", "published %", "without %", "95 % interval", "ceiling %",
                       "marked right")  # fmt: skip
CEILING_NOTE = (
    "Without: faulty gold answers left out. The ceiling holds only for a judge that keeps to the "
    "gold answers. Marked right: of the faulty ones, those on which the judge accepted the answer."
)
_SAMPLE_HEADINGS = ("sample", "accuracy %", "95 % interval", BOUNDS, "change", "correct", "scored",
                    "questions", "errors %", "USD", "memory of", "system", "judge", "protocol",
                    "sample id")  # fmt: skip


class HasInterval(Protocol):
    """A row with an accuracy of so many conversations."""

    @property
    def conversations(self) -> int: ...

    @property
    def interval_percent(self) -> tuple[float, float] | None: ...


def accuracy_cells(row: Accuracy) -> tuple[str, ...]:
    """A row in the order of `ACCURACY_HEADINGS`."""
    return (
        row.release,
        row.category,
        row.vendor_category,
        str(row.questions),
        str(row.correct),
        str(row.scored),
        accuracy_text(row),
        interval_text(row),
        bounds_text(row),
        str(row.unscored),
        str(row.unanswered),
        str(row.not_judged),
        fixed(row.error_percent, 2),
        fixed(row.latency_p50_ms, 0),
        fixed(row.latency_p95_ms, 0),
        fixed(row.cost_usd, 4),
        row.system,
        row.judge,
        row.question_protocol,
    )


def accuracy_text(row: Accuracy) -> str:
    """The accuracy, marked where it is not valid."""
    return _marked(row.accuracy_percent, valid=row.valid)


def interval_text(row: HasInterval) -> str:
    """The 95 % interval; a W marks Wilson's, of a single conversation."""
    if row.interval_percent is None:
        return "–"
    low, high = row.interval_percent
    return f"{fixed(low)} – {fixed(high)}" + (" W" if row.conversations == 1 else "")


class _HasBounds(Protocol):
    @property
    def bounds_percent(self) -> tuple[float, float] | None: ...


def bounds_text(row: _HasBounds) -> str:
    """What the accuracy is at least and at most, whatever the missing verdicts were."""
    if row.bounds_percent is None:
        return "–"
    low, high = row.bounds_percent
    return f"{fixed(low)} – {fixed(high)}"


def interval_notes(rows: Sequence[Accuracy]) -> list[str]:
    """What the intervals of these rows are intervals of, a sentence each."""
    scored = [row for row in rows if row.accuracy_percent is not None]
    # A category may have questions about fewer conversations than its series.
    counts: dict[tuple[str, ...], int] = {}
    for row in scored:
        key = (row.release, *row.series)
        counts[key] = max(row.conversations, counts.get(key, 0))
    several = [str(count) for count in sorted(set(counts.values())) if count > 1]
    those = f"these {several[0]}" if len(several) == 1 else f"its own ({' or '.join(several)})"
    sentence = f"95 % interval: for questions about conversations like {those}; clustered by "
    notes = [f"{sentence}conversation."] if several else []
    if any(row.conversations == 1 for row in scored):
        notes.append("W: Wilson, one conversation only; it says nothing of other conversations.")
    if any(row.bounds_percent is not None for row in rows):
        notes.append("bounds: if every question without a verdict were wrong, or right.")
    if any(row.interval_percent is None for row in scored):
        notes.append("– as an interval: no spread between the conversations is seen.")
    return notes


def asked_text(row: Accuracy) -> str:
    """How many questions were asked, about how many conversations."""
    plural = "" if row.conversations == 1 else "s"
    return f"{row.questions:,} questions of {row.conversations} conversation{plural}"


def accuracy_records(rows: Sequence[Accuracy], columns: Sequence[str]) -> list[dict[str, str]]:
    """These columns of the rows, in their order, by their headings."""
    places = [ACCURACY_HEADINGS.index(name) for name in columns]
    return [
        {name: cells[place] for name, place in zip(columns, places, strict=True)}
        for cells in map(accuracy_cells, rows)
    ]


def score_cells(row: Scores) -> tuple[str, ...]:
    """A row in the order of `SCORE_HEADINGS`."""
    return (
        row.shown,
        fixed(row.f1_percent),
        fixed(row.exact_match_percent),
        fixed(row.recall_at_1_percent),
        fixed(row.recall_at_5_percent),
        fixed(row.recall_at_10_percent),
        fixed(row.mrr, 3),
        fixed(row.traceable_percent),
        fixed(row.answer_words_p50, 0),
        fixed(row.latency_p50_ms, 0),
    )


def recall_cells(row: RecallAtK) -> tuple[str, ...]:
    """A row in the order of `RECALL_HEADINGS`."""
    return (
        str(row.k),
        fixed(row.recall_percent, 2),
        fixed(row.accuracy_percent, 2),
        fixed(row.memory_tokens, 0),
        str(row.questions),
        row.judge or "–",
    )


def gold_fault_cells(row: GoldFaults, whole: Accuracy) -> tuple[str, ...]:
    """A row in the order of `GOLD_FAULT_HEADINGS`, marked where its series is not valid."""
    return (
        row.shown,
        _marked(row.accuracy_percent, valid=whole.valid),
        _marked(row.without_faults_percent, valid=whole.valid),
        interval_text(row),
        fixed(row.ceiling_percent, 2),
        f"{row.faulty_correct} of {row.faulty_given}, {fixed(row.faulty_correct_percent, 0)} %"
        if row.faulty_given
        else f"– of {row.faulty}",
    )


def samples_markdown(rows: Sequence[Sample], max_error_percent: float) -> str:
    """The newest `MAX_SAMPLES` rows as a Markdown table, marked where there are too many errors."""
    return markdown_table(
        _SAMPLE_HEADINGS,
        (
            (
                row.release,
                _marked(row.accuracy_percent, valid=row.error_percent <= max_error_percent),
                interval_text(row),
                bounds_text(row),
                fixed(row.change_points, 2),
                str(row.correct),
                str(row.scored),
                str(row.questions),
                fixed(row.error_percent, 2),
                fixed(row.cost_usd, 4),
                row.memory_of,
                row.system,
                row.judge,
                row.question_protocol,
                row.sample_id,
            )
            for row in rows[:MAX_SAMPLES]
        ),
    )


def limits_markdown(changes: "Sequence[LimitChange]") -> str:
    """The last `MAX_LIMIT_CHANGES` changes as a Markdown table, the oldest first."""
    table = markdown_table(
        ("time (UTC)", "endpoint", "limit", "why"),
        (
            (f"{one.changed_at:%H:%M:%S.%f}", one.endpoint, str(one.limit), one.why)
            for one in changes[-MAX_LIMIT_CHANGES:]
        ),
    )
    left_out = len(changes) - MAX_LIMIT_CHANGES
    return table + (f"\n\n{left_out} earlier changes are left out." if left_out > 0 else "")


def fixed(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals; a dash where it is not known."""
    return "–" if value is None else f"{value:.{digits}f}"


def _marked(percent: float | None, *, valid: bool) -> str:
    # Never a bare number where it is not valid, so that nobody quotes it.
    number = fixed(percent, 2)
    return number if valid else f"invalid ({number})"
