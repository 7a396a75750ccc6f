"""How far a run is, as one line for people: done of all, and about how long the rest takes."""

import time
from collections import deque
from collections.abc import Callable, Mapping

from locomo_assets.runs.context import Counts

KINDS = ("turns", "questions", "verdicts")
WINDOW_S = 120.0
"""The pace is that of so long: what was stored already is counted at once, and is no pace."""


class ProgressLine:
    """The line of one run; `minutes` is the forecast of each kind, which weighs it."""

    def __init__(
        self, minutes: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._minutes = minutes
        self._clock = clock
        self._seen: deque[tuple[float, float]] = deque()

    def text(self, counts: Counts) -> str:
        """Like `turns 5,041/5,094 · questions 81/200 · about 2 min left`."""
        parts = [
            f"{kind} {getattr(counts, kind):,}/{total:,}"
            for kind in KINDS
            if (total := getattr(counts, f"{kind}_to_do"))
        ]
        failed = {"errors": counts.errors, "retries": counts.retries}
        parts += [f"{name} {count:,}" for name, count in failed.items() if count]
        if counts.cost_usd:
            parts.append(f"{counts.cost_usd:.2f} USD")
        left_s = self._left_s(counts)
        return " · ".join([*parts, *([] if left_s is None else [_left_text(left_s)])])

    def _left_s(self, counts: Counts) -> float | None:
        """Seconds to go at the pace of the last minutes; None where nothing tells the pace."""
        now, work = self._clock(), self._work_left(counts)
        self._seen.append((now, work))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()
        since, before = self._seen[0]
        if work <= 0 or now <= since or work >= before:
            return None
        return work * (now - since) / (before - work)

    def _work_left(self, counts: Counts) -> float:
        """In forecast minutes."""
        left = 0.0
        for kind in KINDS:
            if total := getattr(counts, f"{kind}_to_do"):
                done = min(getattr(counts, kind), total)
                left += self._minutes.get(kind, 0.0) * (total - done) / total
        return left


def _left_text(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than 1 min left"
    if minutes < 90:
        return f"about {minutes} min left"
    return f"about {minutes / 60:.1f} h left"
