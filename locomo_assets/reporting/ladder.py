"""A ladder's result as text: the terminal's table, Markdown for a pull request, its forecast."""

from collections.abc import Sequence

from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.ladder import Change, LadderResult, LadderStep
from locomo_assets.analysis.comparison.paired import Paired
from locomo_assets.prices import STANDIN
from locomo_assets.reporting.markdown import escaped, markdown_table
from locomo_assets.reporting.tables import fixed
from locomo_assets.reporting.terminal.table import Short
from locomo_assets.runs.forecast import Item

HEADINGS = ("step", "accuracy %", "points", "95 % interval", "is", "−/+", "from base",
            "USD/q", "tokens/q", "of memories", "p50 ms", "scored")  # fmt: skip
SHORT = Short(only_wide=("−/+", "from base", "of memories", "p50 ms", "scored"), if_any=("USD/q",))

_SHORT = {Conclusion.NOT_WORSE: "not worse"}


def ladder_cells(step: LadderStep) -> tuple[str, ...]:
    """A step in the order of `HEADINGS`; what is not known is a dash."""
    paired = step.change.paired if step.change else None
    return (
        step.name,
        fixed(step.accuracy_percent, 2) if step.valid else "invalid",
        points(paired),
        points_interval(paired),
        _SHORT.get(step.change.decision.word, step.change.decision.word) if step.change else "–",
        f"−{paired.losses} +{paired.gains}" if paired else "–",
        points(step.since_base),
        fixed(step.cost_usd, 5),
        fixed(step.context_tokens, 0),
        fixed(step.memory_tokens, 0),
        fixed(step.latency_p50_ms, 0),
        str(step.scored),
    )


def points(paired: Paired | None) -> str:
    """A difference in points, with its sign."""
    if paired is None or paired.difference is None:
        return "–"
    return f"{100 * paired.difference:+.2f}"


def points_interval(paired: Paired | None) -> str:
    """The 95 % interval of a difference, in points."""
    if paired is None or paired.interval is None:
        return "–"
    return f"{100 * paired.interval.low:+.1f} – {100 * paired.interval.high:+.1f}"


def heading(found: LadderResult) -> str:
    """Which ladder of what this is, in a line."""
    plural = "" if found.conversations == 1 else "s"
    return (
        f"ladder {found.name} · release {found.release} · system {found.system} · data set "
        f"{found.dataset_sha256[:12]} · the {found.questions:,} questions of "
        f"{found.conversations} conversation{plural} that every step was asked"
    )


def step_texts(found: LadderResult) -> list[tuple[str, tuple[str, ...]]]:
    """For each step what it changes, then what is concluded, why, and where answers changed."""
    told: list[tuple[str, tuple[str, ...]]] = []
    before = ""
    for step in found.steps:
        against = step.change.against if step.change else ""
        aside = f" (against {against})" if against != before else ""
        lines = (_concluded(step.change), *step.change.bridge.sentences()) if step.change else ()
        told.append((f"{step.name}: {step.changed}{aside}", lines))
        before = step.name
    return told


def notes(found: LadderResult) -> list[str]:
    """What a reader must know of the numbers, a sentence each."""
    steps = len(found.steps) - 1
    told = [
        "points, interval and decision: against the step that it changes, on the same questions, "
        f"clustered by conversation; p-values by Holm for {steps} step{'s' * (steps != 1)}. "
        "From base: not adjusted.",
        "−/+: questions lost and gained. USD/q: answer and verdict, a question. tokens/q: the "
        "answering model's input.",
    ]
    if not found.valid:
        told.append("invalid: too many questions without a verdict (LOCOMO_MAX_ERROR_PERCENT).")
    if found.system == STANDIN:
        told.append("The packaged stand-in, no real service: the numbers show that it works.")
    return told


def ladder_markdown(found: LadderResult) -> str:
    """The whole result for a pull request or Dagster's UI."""
    headings = (HEADINGS[0], "what changed", *HEADINGS[1:])
    rows = [(cells[0], step.changed, *cells[1:])
            for step, cells in ((step, ladder_cells(step)) for step in found.steps)]  # fmt: skip
    told = [
        " ".join((f"- **{escaped(title)}**", *map(escaped, lines)))
        for title, lines in step_texts(found)
    ]
    return "\n\n".join(
        (
            f"**{escaped(found.headline)}**",
            escaped(heading(found)),
            markdown_table(headings, rows),
            "\n".join(told),
            escaped(" ".join(notes(found))),
        )
    )


def _concluded(change: Change) -> str:
    word = change.decision.word
    return f"{word[0].upper()}{word[1:]}: {change.decision.because}."


FORECAST_HEADINGS = (
    "step",
    "turn calls",
    "answer calls",
    "verdict calls",
    "USD",
    "minutes",
    "shares",
)
FORECAST_SHORT = Short(only_wide=("minutes",))


def forecast_cells(name: str, shares: str, items: Sequence[Item]) -> tuple[str, ...]:
    """A step in the order of `FORECAST_HEADINGS`; `items` are its turns, answers and verdicts."""
    return (
        name,
        *(f"{one.calls:,}" for one in items),
        f"{sum(one.cost_usd or 0.0 for one in items):.2f}",
        f"{sum(one.minutes for one in items):.1f}",
        shares,
    )
