"""How many questions `run --until-decided` saves, and how often it errs.

On the published verdicts of the real data set: the earlier release has been measured once, and the
new one is measured look by look.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.simulations.page import markdown
from locomo_assets.analysis.design.sequential import LOOKS, bounds
from locomo_assets.analysis.intervals import ALPHA

SEED = 20261127
TRIALS = 4000
NULL_TRIALS = 20000
_AT_ONCE = 500

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "backboard-published"

_RIGHT_AGAIN = 0.9667
_RIGHT_AFTER_WRONG = 0.3
"""Chances that a question is answered right that was right, or wrong, in the published files: two
measurements then disagree on 10 % of the questions, and have 90 % right, as the files do."""
_SPREAD_POINTS = 0.5

_CASES = ((0.0, 1.0), (1.0, 1.0), (3.0, 1.0), (5.0, 1.0), (0.0, 3.0), (3.0, 3.0))
"""True difference and margin, in points."""

Array = np.ndarray


@dataclass(frozen=True)
class Questions:
    """The questions in the order of the files, by conversation and category; and their verdicts."""

    conversation: Array
    category: Array
    right: Array


@dataclass(frozen=True)
class Outcome:
    """What so many runs came to, as shares of them; `asked` is the mean share of the questions.

    `called_at_end`: better or worse by one test at the end alone, without looks.
    """

    better: float
    worse: float
    equivalent: float
    asked: float
    called_at_end: float


def stopping(trials: int = TRIALS, null_trials: int = NULL_TRIALS) -> str:
    """The table `stopping`."""
    questions = read_published()
    random = np.random.default_rng(SEED)
    rows = []
    for points, margin in _CASES:
        number = trials if points else null_trials
        found = simulate(questions, points, margin, random, number)
        there = len(questions.right)
        rows.append(
            (
                f"{points:+g}, margin {margin:g}" if points else f"none, margin {margin:g}",
                f"{found.better:.3f}",
                f"{found.worse:.3f}",
                f"{found.equivalent:.3f}",
                f"{found.asked * there:,.0f} of {there:,}",
                f"{1 - found.asked:.0%}",
                f"{found.called_at_end:.3f}",
            )
        )
    head = (
        "true difference, points",
        "better",
        "worse",
        "equivalent",
        "questions asked",
        "saved",
        "one test at the end: better or worse",
    )
    return markdown(head, rows)


def read_published(folder: Path = PUBLISHED) -> Questions:
    """The verdicts of the published files."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"{folder}: put the published verdicts there")
    rows = [
        (number, one["category"], one["evaluation"]["is_correct"])
        for number, file in enumerate(files)
        for one in json.loads(file.read_text())["responses"]
    ]
    return Questions(*(np.array(column) for column in zip(*rows, strict=True)))


def simulate(
    questions: Questions, points: float, margin: float, random: np.random.Generator, trials: int
) -> Outcome:
    """Runs against an earlier release, with a true difference and a margin in points."""
    parts = [
        _runs(questions, points / 100, margin / 100, random, min(_AT_ONCE, trials - begun))
        for begun in range(0, trials, _AT_ONCE)
    ]
    decided, asked, at_end = (np.concatenate(column) for column in zip(*parts, strict=True))
    better, worse, equivalent = (
        float(np.mean(decided == word)) for word in (_BETTER, _WORSE, _EQUIVALENT)
    )
    return Outcome(
        better,
        worse,
        equivalent,
        asked=float(asked.mean()),
        called_at_end=float(at_end.mean()),
    )


_CANNOT_TELL, _BETTER, _WORSE, _EQUIVALENT = range(4)


def _runs(
    questions: Questions, true: float, margin: float, random: np.random.Generator, trials: int
) -> tuple[Array, Array, Array]:
    """For each run: its decision, the share it asked, and what one test at the end calls."""
    change = _changes(questions, true, random, trials)
    first_look = _first_looks(questions, random, trials)
    decided = np.full(trials, _CANNOT_TELL)
    asked = np.ones(trials)
    for number, bound in enumerate(bounds()):
        there = first_look <= number
        difference, differs, equivalent = p_values(questions.conversation, change, there, margin)
        word = np.where(
            differs < bound.differs,
            np.where(difference > 0, _BETTER, _WORSE),
            np.where(equivalent < bound.equivalent, _EQUIVALENT, _CANNOT_TELL),
        )
        newly = (decided == _CANNOT_TELL) & (word != _CANNOT_TELL)
        decided[newly] = word[newly]
        asked[newly] = there.mean(axis=1)[newly]
    return decided, asked, differs < ALPHA


def _changes(questions: Questions, true: float, random: np.random.Generator, trials: int) -> Array:
    """B's verdict minus A's. Half of a true difference is gained on what was wrong before."""
    conversations = questions.conversation.max() + 1
    chance = np.where(questions.right, _RIGHT_AGAIN, _RIGHT_AFTER_WRONG)
    by_conversation = true + _SPREAD_POINTS / 100 * random.standard_normal((trials, conversations))
    share_right = questions.right.mean()
    each = np.where(questions.right, 0.5 / share_right, 0.5 / (1 - share_right))
    better = np.clip(chance + each * by_conversation[:, questions.conversation], 0.0, 1.0)
    shape = (trials, len(chance))
    after: Array = random.random(shape) < better
    before: Array = random.random(shape) < chance
    change: Array = after.astype(np.int8) - before.astype(np.int8)
    return change


def _first_looks(questions: Questions, random: np.random.Generator, trials: int) -> Array:
    """The look at which each question is first asked, as `locomo.sampling.share_of` chooses."""
    found = np.empty((trials, len(questions.right)), dtype=np.int8)
    strata = questions.conversation * 10 + questions.category
    for stratum in np.unique(strata):
        of = np.flatnonzero(strata == stratum)
        place = random.random((trials, len(of))).argsort(axis=1).argsort(axis=1)
        start = random.random((trials, 1))
        taken = [np.floor(share * len(of) + start).astype(int) for share in LOOKS[:-1]]
        found[:, of] = sum((place >= one).astype(np.int8) for one in taken)
    return found


def p_values(
    conversation: Array, change: Array, there: Array, margin: float
) -> tuple[Array, Array, Array]:
    """`paired.compare_pairs` of many comparisons at once: difference, and two of its p-values."""
    from scipy.stats import t

    members = (conversation[:, None] == np.arange(conversation.max() + 1)).astype(float)
    sizes = there.astype(float) @ members
    totals = (change * there) @ members
    whole = sizes.sum(axis=1, keepdims=True)
    shares = sizes / whole
    mean = totals.sum(axis=1, keepdims=True) / whole
    error = np.sqrt(((totals - sizes * mean) ** 2 / (1 - shares)).sum(axis=1)) / whole[:, 0]
    leverage = shares**2 / (1 - shares)
    freedom = 1 / ((shares**2).sum(axis=1) + leverage.sum(axis=1) ** 2 - (leverage**2).sum(axis=1))
    difference = mean[:, 0]
    # Where no conversation differs from another there is no test; a value this large finds nothing.
    error = np.where(error > 0, error, np.inf)
    differs = 2 * t.sf(np.abs(difference) / error, freedom)
    below = t.sf((difference + margin) / error, freedom)
    above = t.cdf((difference - margin) / error, freedom)
    return difference, differs, np.maximum(below, above)


TABLES = {"stopping": stopping}
