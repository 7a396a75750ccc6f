"""A panel of judges in words and tables: for the terminal, for Markdown, and for the page.

Judges stand under letters, from the strictest (A) to the most generous.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from locomo_assets.analysis.panel import Contested, Panel, PanelJudge
from locomo_assets.reporting.markdown import escaped, markdown_table
from locomo_assets.reporting.tables import fixed

if TYPE_CHECKING:
    from locomo_assets.runs.forecast import Item

_LONGEST_TEXT = 120
Labels = Mapping[str, str]
"""A judge's name in the history → what a panel's file calls it."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings, and what they are."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Spending:
    """What one judge of a file was forecast to take, and what it took: requests and USD."""

    name: str
    forecast: "Item"
    requests: int
    cost_usd: float


def headline(panel: Panel) -> str:
    """The band in a sentence."""
    low, high = panel.judges[0], panel.judges[-1]
    return (
        f"{len(panel.judges)} judges on the same {panel.questions:,} answers: "
        f"{_percent(low.accuracy)} to {_percent(high.accuracy)} % correct, a band of "
        f"{panel.band_points:.2f} points; {len(panel.contested):,} questions "
        f"({_percent(len(panel.contested) / panel.questions)} %) hang on the judge"
    )


def bounds_line(panel: Panel) -> str:
    """What is certain and what is possible, whoever of them is right."""
    return (
        f"All judges say correct: {_percent(panel.certain)} % (certain); any of them does: "
        f"{_percent(panel.possible)} % (possible)."
    )


def base_line(panel: Panel) -> str:
    """Which questions the numbers are over."""
    conversations = f"{panel.conversations} conversation" + "s" * (panel.conversations != 1)
    return (
        f"Over the {panel.questions:,} of {panel.answers:,} answers (categories 1–4, "
        f"{conversations}) that every judge has scored."
    )


def band_table(panel: Panel, labels: Labels | None = None) -> Table:
    """Each judge's accuracy, the strictest first, with the votes on which it was divided."""
    return Table(
        "From the strictest to the most generous judge",
        ("", "judge", "accuracy %", "95 % interval", "correct", "n", "above A", "split votes"),
        tuple(
            (
                letter(at),
                _named(one.judge, labels),
                _percent(one.accuracy),
                interval_text(one),
                str(one.correct),
                str(panel.questions),
                f"{100 * (one.accuracy - panel.judges[0].accuracy):.2f}",
                votes_text(one),
            )
            for at, one in enumerate(panel.judges)
        ),
    )


def agreement_table(panel: Panel) -> Table:
    """Cohen's kappa above the diagonal, the share of agreement in percent below it."""
    found = {(pair.a, pair.b): pair.agreement for pair in panel.pairs}
    names = [one.judge for one in panel.judges]

    def cell(row: int, column: int) -> str:
        if row == column:
            return "·"
        if row < column:
            return fixed(found[names[row], names[column]].kappa, 3)
        share = found[names[column], names[row]].agreement
        return "–" if share is None else f"{100 * share:.1f} %"

    return Table(
        "Cohen's kappa above the diagonal, agreement below it",
        ("", *map(letter, range(len(names)))),
        tuple(
            (letter(row), *(cell(row, column) for column in range(len(names))))
            for row in range(len(names))
        ),
    )


def category_rows(panel: Panel) -> Table:
    """Of each category, the questions on which the judges are divided."""
    whole = (len(panel.contested), panel.questions)
    return Table(
        "Questions that hang on the judge",
        ("category", "divided", "questions", "share %"),
        (
            *(
                (one.name, str(one.contested), str(one.questions), _percent(one.share))
                for one in panel.categories
            ),
            ("all scored", str(whole[0]), str(whole[1]), _percent(whole[0] / whole[1])),
        ),
    )


def contested_table(panel: Panel, show: int) -> Table:
    """The first so many questions on which the judges are divided."""
    return Table(
        f"{min(show, len(panel.contested))} of the {len(panel.contested)} questions that hang on "
        "the judge",
        ("question", "asked", "gold answer", "answer", "".join(_letters(panel))),
        tuple(_contested_row(panel, one) for one in panel.contested[:show]),
    )


def spending_table(spent: Sequence[Spending]) -> Table:
    """The forecast of each judge beside what it took."""
    return Table(
        "Forecast, and what it took",
        ("judge", "calls forecast", "USD forecast", "requests", "USD spent"),
        tuple(
            (
                one.name,
                str(one.forecast.calls),
                "no price" if one.forecast.cost_usd is None else f"{one.forecast.cost_usd:.4f}",
                str(one.requests),
                f"{one.cost_usd:.4f}",
            )
            for one in spent
        ),
    )


def title(panel: Panel) -> str:
    """Whose answers they are."""
    return (
        f"release {panel.release} · system {panel.system} · questions {panel.question_protocol} · "
        f"data set {panel.dataset_sha256[:12]}"
    )


def panel_markdown(
    panels: Sequence[Panel], spent: Sequence[Spending], labels: Labels, show: int
) -> str:
    """The panels as Markdown, whole."""
    parts = []
    for panel in panels:
        parts += [f"## {escaped(title(panel))}", f"{escaped(headline(panel))}."]
        parts += [escaped(bounds_line(panel)), _markdown(band_table(panel, labels))]
        parts.append(escaped(base_line(panel)))
        parts += [_markdown(agreement_table(panel)), _markdown(category_rows(panel))]
        if show and panel.contested:
            parts.append(_markdown(contested_table(panel, show)))
    if spent:
        parts.append(_markdown(spending_table(spent)))
    return "\n\n".join(parts)


def panel_records(
    panels: Sequence[Panel], spent: Sequence[Spending], labels: Labels
) -> dict[str, Any]:
    """The panels as JSON values: everything, with what was computed of it."""
    return {
        "names": dict(labels),
        "panels": [
            json.loads(json.dumps(asdict(panel))) | {"band_points": panel.band_points}
            for panel in panels
        ],
        "spending": [asdict(one) for one in spent],
    }


def letter(at: int) -> str:
    """A, B, C, … for a judge's place."""
    return chr(ord("A") + at) if at < 26 else f"J{at + 1}"


def interval_text(one: PanelJudge) -> str:
    """The 95 % interval in percent; a dash where there is none."""
    if one.interval is None:
        return "–"
    return f"{100 * one.interval.low:.1f} – {100 * one.interval.high:.1f}"


def votes_text(one: PanelJudge) -> str:
    """On how many questions its votes were divided."""
    if one.votes == 1 or not one.voted:
        return "–"
    return f"{one.split} of {one.voted} (×{one.votes})"


def _contested_row(panel: Panel, one: Contested) -> tuple[str, ...]:
    signs = "".join(
        "+" if one.verdicts[judge.judge] == "correct" else "−" for judge in panel.judges
    )
    name = f"{one.conversation}/{one.question_index}"
    return name, _short(one.question), _short(one.gold_answer), _short(one.answer), signs


def _letters(panel: Panel) -> list[str]:
    return [letter(at) for at in range(len(panel.judges))]


def _named(judge: str, labels: Labels | None) -> str:
    label = (labels or {}).get(judge)
    return judge if label in (None, judge) else f"{label} ({judge})"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST_TEXT else f"{plain[: _LONGEST_TEXT - 1]}…"


def _markdown(table: Table) -> str:
    return f"**{escaped(table.caption)}**\n\n{markdown_table(table.headings, table.rows)}"
