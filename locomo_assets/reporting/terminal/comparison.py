"""What a comparison of two releases says, on a terminal: decision, numbers, categories, flips."""

from textwrap import shorten

from rich.text import Text

from locomo_assets.analysis.comparison import CategoryComparison, Comparison
from locomo_assets.analysis.comparison.decision import Conclusion, p_text
from locomo_assets.analysis.comparison.flips import Flip, RetrievedMemory
from locomo_assets.analysis.comparison.noise import NoiseFloor
from locomo_assets.analysis.intervals import CORRECTION, Interval
from locomo_assets.history.statements import literal
from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.table import (
    Screen,
    Short,
    print_left_out,
    print_pairs,
    print_table,
)

WIDTH = 100
_HOLM = "Holm p"
_CATEGORY_HEADINGS = ("category", "questions", "A %", "B %", "points", "95 % interval", "+", "−",
                      "McNemar", _HOLM, "B is")  # fmt: skip
_SHORT = Short(only_wide=("McNemar", _HOLM, "questions"), if_any=("+", "−"))
_WORDS = {Conclusion.NOT_WORSE: "not worse"}
_MAX_TEXT = 400
_MAX_MEMORIES = 3


def print_comparison(out: Screen, found: Comparison, flips: int) -> None:
    """Prints the decision, its numbers, the categories, and so many of the changed questions."""
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
