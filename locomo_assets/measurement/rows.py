"""Counts and requests of an attempt, as its metadata and rows have them.

Here: sums over rows. The rows themselves are the services' (`backboard`, `judging`); which are
written when is `ingesting`, `asking` and `judging`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from locomo_assets.backboard.calls import CallRecord
from locomo_assets.prices import PriceTable

Row = Mapping[str, Any]
Numbers = dict[str, float | int | str | None]


def answer_numbers(rows: Sequence[Row], wanted: int, requests: int) -> Numbers:
    """The counts of an answers attempt; percentiles are of the answered questions."""
    latencies = sorted(row["latency_ms"] for row in rows if row["latency_ms"] is not None)
    tokens = sum((row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in rows)
    return {
        "questions": wanted,
        "reused": wanted - len(rows),
        "answered": sum(row["outcome"] == "answered" for row in rows),
        "unanswered": sum(row["outcome"] != "answered" for row in rows),
        "latency_p50_ms": _quantile(latencies, 0.5),
        "latency_p95_ms": _quantile(latencies, 0.95),
        "tokens": tokens,
        "cost_usd": sum(row["cost_usd"] or 0.0 for row in rows),
        "cost_unknown": sum(row["cost_usd"] is None for row in rows),
        "requests": requests,
    }


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


def call_rows(
    calls: Sequence[CallRecord], prices: PriceTable, model: str, *, free: bool
) -> list[Row]:
    """Rows of the `calls` table; a cost the client did not know is filled in from the prices.

    `free`: the system takes nothing, whatever model it names.
    """
    rows: list[Row] = []
    for call in calls:
        row = asdict(call)
        if call.cost_usd is None and call.output_tokens is not None:
            priced = prices.cost_usd(model, call.input_tokens or 0, call.output_tokens)
            row["cost_usd"] = 0.0 if free else priced
        rows.append(row)
    return rows
