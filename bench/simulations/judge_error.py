"""Accuracy by a judge that errs: bias and coverage, raw and corrected. The truth is known.

Ten conversations of LoCoMo's sizes differ in how much the system remembers. The judge accepts
right and wrong answers at given rates; labels show it these rates as far as their number allows.
"""

from dataclasses import dataclass

from bench.simulations.page import markdown
from locomo_assets.analysis.intervals import Cluster, clustered_mean
from locomo_assets.analysis.judge_error import JudgeErrors, correct

SIZES = (152, 81, 152, 199, 178, 123, 150, 191, 156, 158)
SEED = 9
TIMES = 500
SPREAD = 0.05
"""The standard deviation of the conversations' true accuracy."""

JUDGES = ((0.98, 0.05), (0.95, 0.106), (0.95, 0.30), (0.90, 0.628))
"""Right accepted, wrong accepted; 10.6 % and 62.8 % are published of a generous prompt."""

TRUTHS = (0.6, 0.9)

LABELS = ((12, 12), (80, 20), (320, 80))


@dataclass(frozen=True)
class Found:
    """Of one setting: mean errors in points, and how often the intervals hold the truth."""

    raw_bias: float
    corrected_bias: float
    raw_coverage: float
    corrected_coverage: float
    width: float
    none: float


def table(times: int = TIMES) -> str:
    """Markdown: a row for each judge, true accuracy and number of labels."""
    rows = []
    for judge in JUDGES:
        for truth in TRUTHS:
            for labels in LABELS:
                found = simulate(truth, judge, labels, times)
                rows.append(
                    (
                        f"{100 * judge[0]:g}, {100 * judge[1]:g}",
                        f"{100 * truth:g}",
                        f"{labels[0]} + {labels[1]}",
                        f"{100 * found.raw_bias:+.1f}",
                        f"{100 * found.corrected_bias:+.1f}",
                        f"{found.raw_coverage:.2f}",
                        f"{found.corrected_coverage:.2f}",
                        f"{100 * found.width:.0f}",
                        f"{100 * found.none:.0f}",
                    )
                )
    head = ["accepts right, wrong %", "truth %", "labels", "raw: error, points",
            "corrected: error", "raw: covers", "corrected: covers", "its width, points",
            "none given %"]  # fmt: skip
    return markdown(head, rows)


def simulate(
    truth: float, judge: tuple[float, float], labels: tuple[int, int], times: int
) -> Found:
    """Measures `times` systems of one true accuracy; errors are over those with a corrected one."""
    import numpy as np

    random = np.random.default_rng(SEED)
    strength = truth * (1 - truth) / SPREAD**2 - 1
    raw, corrected, raw_covers, covers, widths = [], [], [], [], []
    for _ in range(times):
        right = random.binomial(
            SIZES, random.beta(truth * strength, (1 - truth) * strength, len(SIZES))
        )
        accepted = random.binomial(right, judge[0]) + random.binomial(SIZES - right, judge[1])
        clusters = [Cluster(size, int(count)) for size, count in zip(SIZES, accepted, strict=True)]
        seen = [int(random.binomial(n, share)) for n, share in zip(labels, judge, strict=True)]
        errors = JudgeErrors("labels", labels[0], seen[0], labels[1], seen[1])
        mean = clustered_mean(clusters)
        raw.append((mean.mean or 0.0) - truth)
        if mean.interval:
            raw_covers.append(mean.interval.low <= truth <= mean.interval.high)
        found = correct(clusters, errors)
        if found.percent is None or found.low_percent is None or found.high_percent is None:
            continue
        corrected.append(found.percent / 100 - truth)
        covers.append(found.low_percent <= 100 * truth <= found.high_percent)
        widths.append((found.high_percent - found.low_percent) / 100)
    return Found(
        float(np.mean(raw)),
        float(np.mean(corrected)) if corrected else float("nan"),
        float(np.mean(raw_covers)),
        float(np.mean(covers)) if covers else float("nan"),
        float(np.mean(widths)) if widths else float("nan"),
        1 - len(corrected) / times,
    )
