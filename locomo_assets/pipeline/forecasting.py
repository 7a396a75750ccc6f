"""A run's forecast and what became of it, as metadata.

Here: layout, and taking the actual from the progress of this process. The sums are `dry_run`'s.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from locomo_assets.measurement.forecast import Item
from locomo_assets.measurement.progress import Counts, Progress

_HEAD = (
    "| | calls | input tokens | output tokens | USD | minutes | per one |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)
_NOTE = "\nThe forecast is of all that was asked for; what was stored already comes off."


class Forecast:
    """Made when a run begins; `actual` is asked for when it ends."""

    def __init__(self, items: Sequence[Item], progress: Progress) -> None:
        self._items = items
        self._progress = progress
        self._before = progress.counts
        self._began = time.monotonic()

    def metadata(self) -> dict[str, Any]:
        """The forecast alone: a table, and its sums as numbers."""
        return {"forecast": dg.MetadataValue.md("\n".join([*self._lines(), _NOTE])), **self._sums()}

    def beside_actual(self) -> dict[str, Any]:
        """The forecast with a last line for what it came to."""
        now, before = self._progress.counts, self._before
        spent = {name: getattr(now, name) - getattr(before, name) for name in _SPENT}
        minutes = (time.monotonic() - self._began) / 60.0
        line = _line(
            "**actual**",
            spent["requests"],
            (spent["input_tokens"], spent["output_tokens"]),
            f"{spent['cost_usd']:.4f}",
            minutes,
            "this run",
        )
        table = dg.MetadataValue.md("\n".join([*self._lines(), line, _NOTE]))
        return {
            "forecast": table,
            **self._sums(),
            "run_calls": spent["requests"],
            "run_tokens": spent["input_tokens"] + spent["output_tokens"],
            "run_cost_usd": round(spent["cost_usd"], 6),
            "run_minutes": round(minutes, 3),
        }

    def _lines(self) -> list[str]:
        lines = [
            _line(
                one.kind,
                one.calls,
                (one.input_tokens, one.output_tokens),
                "no price" if one.cost_usd is None else f"{one.cost_usd:.4f}",
                one.minutes,
                one.source,
            )
            for one in self._items
        ]
        tokens = [sum(one.input_tokens for one in self._items),
                  sum(one.output_tokens for one in self._items)]  # fmt: skip
        whole = _line(
            "forecast",
            sum(one.calls for one in self._items),
            tokens,
            f"{sum(one.cost_usd or 0.0 for one in self._items):.4f}",
            sum(one.minutes for one in self._items),
            "USD of what has a price",
        )
        return [_HEAD, *lines, whole]

    def _sums(self) -> Mapping[str, float]:
        tokens = sum(one.input_tokens + one.output_tokens for one in self._items)
        return {
            "forecast_calls": sum(one.calls for one in self._items),
            "forecast_tokens": round(tokens),
            "forecast_cost_usd": sum(one.cost_usd or 0.0 for one in self._items),
            "forecast_minutes": round(sum(one.minutes for one in self._items), 3),
        }


_SPENT = ("requests", "input_tokens", "output_tokens", "cost_usd")
