"""The bridge from one release to the next: at which step the changed questions were won or lost.

Each flip has a right side and a wrong one; the step is where the wrong side lacks what the right
one has. docs/diagnosis.md has the rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

STEPS = ("gold", "judging", "storing", "retrieving", "answering", "without_evidence", "untraced")
"""In the order in which people read them."""

_MEANINGS = {
    "gold": "gold answer faulty",
    "judging": "judged differently",
    "storing": "evidence stored in one only",
    "retrieving": "evidence retrieved in one only",
    "answering": "evidence retrieved, answered differently",
    "without_evidence": "without all of the evidence in both",
    "untraced": "not to be traced",
}
_LOST = {
    "gold": "with a faulty gold answer",
    "judging": "with the same answer or a doubtful verdict",
    "storing": "stored before, not now",
    "retrieving": "retrieved before, not now",
    "answering": "answered differently with the evidence at hand",
    "without_evidence": "without all of the evidence before too",
    "untraced": "not to be traced",
}
_GAINED = {
    **_LOST,
    "storing": "stored now, not before",
    "retrieving": "retrieved now, not before",
    "without_evidence": "without all of the evidence still",
}


class Trace(NamedTuple):
    """How far one side's evidence came: `answer_evidence.stage`, and how many of its turns."""

    stage: str | None
    stored: int
    retrieved: int


def step_of(
    right: Trace, wrong: Trace, *, reason_wrong: str | None, same_answer: bool = False
) -> str:
    """The step of one flip; `reason_wrong` is what the view `diagnosis` says of its wrong side."""
    if reason_wrong == "gold_faulty":
        return "gold"
    if same_answer or reason_wrong == "judge_doubtful":
        return "judging"
    if wrong.stage == "retrieved":
        return "answering"
    if "unknown" in (wrong.stage or "unknown", right.stage or "unknown"):
        return "untraced"
    if right.retrieved > wrong.retrieved:
        return "storing" if right.stored > wrong.stored else "retrieving"
    return "without_evidence"


@dataclass(frozen=True, slots=True)
class Step:
    """How many questions were lost and gained at a step; `meaning` is a phrase for people."""

    name: str
    meaning: str
    lost: int
    gained: int


@dataclass(frozen=True, slots=True)
class Bridge:
    """The steps at which anything changed."""

    steps: tuple[Step, ...]

    def sentences(self) -> list[str]:
        """What was lost and what was gained, a sentence each, the commonest step first."""
        told = []
        for word, phrases in (("lost", _LOST), ("gained", _GAINED)):
            counts = [(getattr(step, word), phrases[step.name]) for step in self.steps]
            parts = [f"{count} {phrase}" for count, phrase in _largest_first(counts) if count]
            if parts:
                told.append(f"Of {sum(n for n, _ in counts)} {word}: {'; '.join(parts)}.")
        return told


def bridge_of(flips: Iterable[tuple[str, str]]) -> Bridge:
    """The bridge of (step, `gained` or `lost`)."""
    flips = list(flips)
    return Bridge(
        tuple(
            Step(
                name,
                _MEANINGS[name],
                lost=flips.count((name, "lost")),
                gained=flips.count((name, "gained")),
            )
            for name in STEPS
            if any(step == name for step, _ in flips)
        )
    )


def _largest_first(counts: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted(counts, key=lambda one: -one[0])
