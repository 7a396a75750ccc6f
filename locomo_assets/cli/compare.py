"""`compare`: two releases on the same questions. `judge-agreement`: two judges, same answers."""

import re
from dataclasses import asdict
from enum import StrEnum
from textwrap import shorten
from typing import Annotated

import typer
from rich.text import Text

from locomo_assets.analysis.accuracy import InvalidNumbersError
from locomo_assets.analysis.comparison import (
    CategoryComparison,
    Comparison,
    compare,
)
from locomo_assets.analysis.comparison.decision import Conclusion, p_text
from locomo_assets.analysis.comparison.flips import Flip, RetrievedMemory
from locomo_assets.analysis.comparison.gate import FailOn, check_gate, fails
from locomo_assets.analysis.comparison.noise import NoiseFloor
from locomo_assets.analysis.intervals import CORRECTION, Interval
from locomo_assets.cli.options import WideOption
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.place import history_settings
from locomo_assets.history.statements import literal
from locomo_assets.redaction import printable
from locomo_assets.reporting.junit import comparison_junit
from locomo_assets.reporting.summary import comparison_markdown
from locomo_assets.reporting.terminal.table import (
    Screen,
    Short,
    console,
    print_json,
    print_left_out,
    print_pairs,
    print_table,
)
from locomo_assets.settings import SettingsError

_WIDTH = 100
_HOLM = "Holm p"
_CATEGORY_HEADINGS = ("category", "questions", "A %", "B %", "points", "95 % interval", "+", "−",
                      "McNemar", _HOLM, "B is")  # fmt: skip
_SHORT = Short(only_wide=("McNemar", _HOLM, "questions"), if_any=("+", "−"))
_WORDS = {Conclusion.NOT_WORSE: "not worse"}
_MAX_TEXT = 400
_MAX_MEMORIES = 3


class ComparisonFormat(StrEnum):
    """How a comparison is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"
    junit = "junit"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(name="compare")(compare_releases)
    app.command(name="judge-agreement")(compare_judges)


def compare_releases(
    a: Annotated[
        str,
        typer.Argument(
            help="The release to compare with, the earlier one.", autocompletion=completion.releases
        ),
    ],
    b: Annotated[
        str, typer.Argument(help="The release in question.", autocompletion=completion.releases)
    ],
    judge: Annotated[
        str | None, typer.Option(help="By this judge's verdicts; default: the newest of both.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Questions asked by this protocol; default: the newest.")
    ] = None,
    intersection: Annotated[
        bool, typer.Option("--intersection", help="Only the questions both have, if they differ.")
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(
            min=0, help="Points of difference that matter; default: LOCOMO_MARGIN_POINTS."
        ),
    ] = None,
    flips: Annotated[int, typer.Option(min=0, help="How many changed questions to list.")] = 5,
    format: Annotated[
        ComparisonFormat,
        typer.Option(help="json has everything; markdown is a pull request's comment."),
    ] = ComparisonFormat.text,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="End with exit code 4 (worse), 5 (cannot tell) or 6 (not equivalent)."),
    ] = None,
    link: Annotated[
        str | None, typer.Option(help="URL of the whole report, for markdown and junit.")
    ] = None,
    wide: WideOption = False,
) -> None:
    """Is release B better than A, worse, equivalent, or can't one tell? Costs nothing.

    The decision follows the difference's interval, clustered by conversation; a question counts
    with the mean of its repeats (`run --repeats`). It has to hold whatever the unanswered
    questions' answers were. Judge, protocol, data set and questions must be alike. Exit code 3:
    a side has too many questions without a verdict. Each --fail-on also fails on those before it.
    """
    settings = history_settings()
    _check_link(link, format)
    if margin is not None and not 0 < margin <= 100:
        raise SettingsError(f"--margin {margin:g}: points, above 0 and at most 100")
    found = compare(
        settings.database_path,
        a,
        b,
        judge=judge,
        question_protocol=protocol,
        intersection=intersection,
        margin_points=settings.margin_points if margin is None else margin,
        max_error_percent=settings.max_error_percent,
    )
    match format:
        case ComparisonFormat.json:
            _print_json(found, fail_on)
        case ComparisonFormat.markdown:
            print(printable(comparison_markdown(found, link)))
        case ComparisonFormat.junit:
            print(comparison_junit(found, fail_on, link))
        case ComparisonFormat.text:
            _show(console(wide=wide, pipe_width=_WIDTH), found, flips)
    if not found.valid:
        raise InvalidNumbersError(
            f"{found.overall.verdict.because}; if it was measured here, run it again with the same "
            "--release, which asks only what failed"
        )
    check_gate(found, fail_on)


def _print_json(found: Comparison, fail_on: FailOn | None) -> None:
    decision = found.overall.verdict
    more = {
        "headline": found.headline,
        "valid": found.valid,
        "bridge": asdict(found.bridge),
        "bridges": {name: asdict(one) for name, one in found.bridges.items()},
        "fail_on": fail_on,
        "gate_failed": bool(fails(decision.word, decision.claims, fail_on)),
    }
    print_json(asdict(found) | more)


def _check_link(link: str | None, format: ComparisonFormat) -> None:
    if link is None:
        return
    if format not in (ComparisonFormat.markdown, ComparisonFormat.junit):
        raise SettingsError(f"--link: --format {format} has no place for it; use markdown, junit")
    if not re.fullmatch(r"https?://[^\s<>]+", link):
        raise SettingsError(f"--link {link!r}: give a whole URL, such as https://ci.example.org/1")


def compare_judges(
    a: Annotated[str, typer.Argument(help="A judge, as `locomo-assets releases` names it.")],
    b: Annotated[str, typer.Argument(help="The other one.")],
    release: Annotated[
        str | None,
        typer.Option(help="Only answers of this release.", autocompletion=completion.releases),
    ] = None,
) -> None:
    """How far two judges agree on the same answers, beyond chance. Costs nothing."""
    from locomo_assets.analysis.agreement import judge_agreement

    found = judge_agreement(history_settings().database_path, a, b, release)
    out = console()
    print_table(
        out,
        ("", f"{b}: correct", f"{b}: wrong"),
        (
            (f"{a}: correct", found.both_correct, found.only_a_correct),
            (f"{a}: wrong", found.only_b_correct, found.both_wrong),
        ),
    )
    for name, value in (
        ("answers judged by both", f"{found.answers}"),
        ("agreement", _measure(found.agreement)),
        ("Cohen's kappa", _measure(found.kappa)),
        (f"balanced accuracy of {b}, {a} taken as right", _measure(found.balanced_accuracy)),
    ):
        out.print(f"{name}: {value}", markup=False, highlight=False)


def _show(out: Screen, found: Comparison, flips: int) -> None:
    a, b = found.a.release, found.b.release
    out.print(_text(found.headline))
    out.print(
        _text(f"\njudge {found.judge} · questions {found.question_protocol} · system "
             + " and ".join(dict.fromkeys((found.a.system, found.b.system))))
    )  # fmt: skip
    print_pairs(out, _numbers(found))
    out.print()
    rows = [_category(part) for part in found.categories]
    print_table(out, _CATEGORY_HEADINGS, rows, _SHORT, right=_CATEGORY_HEADINGS[1:-1])
    holm = f"; {_HOLM}: clustered, of all categories" if _HOLM not in out.left_out else ""
    hidden = out.is_terminal and {"+", "−"} <= set(out.left_out)
    signs = "" if hidden else "; + gained, − lost"
    out.print(_text(f"A is {a}, B is {b}{signs}{holm}"))
    if not out.is_terminal:
        print_left_out(out)
    for line in found.bridge.sentences():
        out.print(_text(line))
    for note in found.notes:
        out.print(_text(f"note: {note}"))
    if flips:
        shown = sorted(found.flips, key=lambda one: one.flip != "lost")[:flips]
        for flip in shown:
            print_pairs(out, _flip(flip, a, b))
    if len(found.flips) > flips:
        out.print(
            _text(
                f"\n{min(flips, len(found.flips))} of {len(found.flips)} changed questions of all "
                f"categories shown, lost ones first; all: --flips {len(found.flips)}, "
                f"--format json, or SQL FROM flip_details({literal(a)}, {literal(b)})"
            )
        )
    print_left_out(out)


def _text(text: str) -> Text:
    return Text(printable(text))


def _numbers(found: Comparison) -> list[tuple[str, str]]:
    paired = found.overall.paired
    told: list[tuple[str, str]] = []
    for side, correct, accuracy, noise in (
        (found.a, paired.correct_a, paired.accuracy_a, found.overall.noise.a),
        (found.b, paired.correct_b, paired.accuracy_b, found.overall.noise.b),
    ):
        told.append(
            (
                f"accuracy {side.release}",
                f"{_percent(accuracy)} %  ({correct} of {paired.questions} questions of "
                f"{found.category_names}, {_conversations(paired.conversations)}"
                f"{_mean_of(noise)})",
            )
        )
    told.append(("difference", _difference(found)))
    bounds = found.overall.bounds
    if bounds is not None:
        told.append(
            (
                "bounds",
                f"{bounds.low * 100:+.2f} … {bounds.high * 100:+.2f} points, if the "
                f"{bounds.unanswered} questions without a verdict count against {found.b.release}, "
                "or for it",
            )
        )
    if paired.interval is not None:
        told.append(("allows for", found.interval_contains))
    told.append(
        (
            "changed",
            f"{paired.gains} gained, {paired.losses} lost; exact McNemar "
            f"{p_text(paired.mcnemar_p)} (takes questions as independent)",
        )
    )
    if paired.minimal_detectable_difference is not None:
        told.append(
            (
                "detectable",
                f"{paired.minimal_detectable_difference * 100:.2f} points: a true difference of "
                "that size is called in 80 of 100 such comparisons",
            )
        )
    for name, one in (
        (found.a.release, found.overall.noise.a),
        (found.b.release, found.overall.noise.b),
    ):
        told.append((f"repeats {name}", _noise(one)))
    return told


def _conversations(count: int) -> str:
    return f"{count} conversation{'' if count == 1 else 's'}"


def _mean_of(noise: NoiseFloor) -> str:
    return "" if noise.repeats < 2 else f"; newest of {noise.repeats} repeats, the % is their mean"


def _difference(found: Comparison) -> str:
    paired = found.overall.paired
    if paired.difference is None:
        return f"none: {paired.why_none}"
    text = f"{paired.difference * 100:+.2f} points"
    if paired.standard_error is None:
        return f"{text}, without an interval: {paired.why_none}"
    return (
        f"{text}, 95 % interval {_interval(paired.interval)}, {p_text(paired.clustered_p)}; "
        f"standard error {paired.standard_error * 100:.2f}, clustered by conversation "
        f"({CORRECTION})"
    )


def _noise(noise: NoiseFloor) -> str:
    if noise.flip_rate is None or noise.floor is None:
        return str(noise.why_none)
    sources = [
        f"{one.rate * 100:.1f} % by {name} anew"
        for name, one in (
            ("judging", noise.judging),
            ("answering", noise.answering),
            ("remembering and answering", noise.remembering),
        )
        if one.rate is not None
    ]
    shown = f" ({', '.join(sources)})" if sources else ""
    return (
        f"{noise.repeats}, of {noise.questions} questions: {noise.flip_rate * 100:.1f} % flip"
        f"{shown}; two single measurements differ by up "
        f"to {noise.floor * 100:.2f} points"
    )


def _category(part: CategoryComparison) -> tuple[str, ...]:
    paired = part.paired
    return (
        f"{part.category} {part.name}",
        str(paired.questions),
        _percent(paired.accuracy_a),
        _percent(paired.accuracy_b),
        "–" if paired.difference is None else f"{paired.difference * 100:+.2f}",
        _interval(paired.interval),
        str(paired.gains),
        str(paired.losses),
        _p(paired.mcnemar_p),
        _p(part.p_holm),
        _WORDS.get(part.verdict.word, str(part.verdict.word)),
    )


def _flip(flip: Flip, a: str, b: str) -> list[tuple[str, str]]:
    told = [("", "")]
    place = f"{flip.conversation}, question {flip.question_index}, category {flip.category}"
    told.append((flip.flip.upper(), place))
    told.append(("because", _short(f"{flip.step}: {_because(flip)}")))
    told.append(("question", flip.question))
    told.append(("gold", flip.gold_answer or "–"))
    for turn in flip.evidence:
        told.append(
            ("evidence", _short(f"{turn.dia_id} {turn.speaker or '–'}: {turn.text or '–'}"))
        )
    for release, answer, reasoning, memories in (
        (a, flip.answer_a, flip.reasoning_a, flip.retrieved_a),
        (b, flip.answer_b, flip.reasoning_b, flip.retrieved_b),
    ):
        told.append((release, _short(answer or "–")))
        told.append(("  judge", _short(reasoning or "–")))
        for memory in memories[:_MAX_MEMORIES]:
            told.append((f"  memory {memory.rank}", _memory(memory)))
        if len(memories) > _MAX_MEMORIES:
            told.append(("", f"and {len(memories) - _MAX_MEMORIES} more"))
    return told


def _because(flip: Flip) -> str:
    # Where the same answer was judged twice, it is not the evidence that made the difference.
    if flip.step == "judging" and flip.reason != "judge_doubtful":
        return "the same answer was judged differently"
    return flip.detail or flip.reason


def _memory(memory: RetrievedMemory) -> str:
    turns = f" [{', '.join(memory.dia_ids)}]" if memory.dia_ids else ""
    score = "" if memory.score is None else f" ({memory.score:.3g})"
    return _short(memory.memory or "–") + turns + score


def _short(text: str) -> str:
    return shorten(text, _MAX_TEXT, placeholder=" …")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.2f}"


def _interval(interval: Interval | None) -> str:
    return "–" if interval is None else f"{interval.low * 100:+.2f} … {interval.high * 100:+.2f}"


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value >= 0.001 else "<0.001"


def _measure(value: float | None) -> str:
    return "– (only one kind of verdict)" if value is None else f"{value:.3f}"
