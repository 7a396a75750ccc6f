"""What each step of a ladder changed: its configurations side by side, under one release.

All of it is over the questions that every step was asked. Measuring a ladder belongs to
`pipeline.ladder`, reading its file to `settings.variants`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import duckdb

from locomo_assets.analysis.comparison.bridge import Bridge, bridge_of
from locomo_assets.analysis.comparison.decision import Conclusion, Decision, decide
from locomo_assets.analysis.comparison.flips import read_flips
from locomo_assets.analysis.comparison.measured import BothMeasured, Measured, read_questions
from locomo_assets.analysis.comparison.noise import Question
from locomo_assets.analysis.comparison.paired import Paired
from locomo_assets.analysis.comparison.parts import (
    Bounds,
    adjust_by_holm,
    common_questions,
    conversations_there,
    part_of,
)
from locomo_assets.analysis.comparison.series import AnalysisError, Series
from locomo_assets.analysis.comparison.sides import Side, side_of, why_invalid
from locomo_assets.analysis.intervals import Cluster, clustered_mean
from locomo_assets.history import database
from locomo_assets.locomo.model import ADVERSARIAL

_FOLDER = Path(__file__).parent


class NoLadderError(AnalysisError):
    """The release has no such ladder."""


@dataclass(frozen=True, slots=True)
class Change:
    """A step against the one that it changes, on the questions that both have scored.

    `decision` goes by p-values that are adjusted by Holm for the number of steps; `p_holm` is the
    deciding one. `bounds`: the difference whatever the missing verdicts were. `bridge`: at which
    steps of the pipeline questions were lost and gained.
    """

    against: str
    paired: Paired
    p_holm: float | None
    bounds: Bounds | None
    decision: Decision
    bridge: Bridge


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One configuration. `changed` says what it changes, in words.

    The accuracy and its interval are in percent, the interval clustered by conversation.
    `cost_usd`, `context_tokens` (of the answering model's input) and `memory_tokens` (of the
    memories in it) are a question's average, None where they are not known. `change` is None for
    the base, and so is `since_base`, which is not adjusted for the number of steps.
    """

    name: str
    changed: str
    configuration: Mapping[str, Any]
    question_protocol: str
    judge: str
    scored: int
    error_percent: float
    valid: bool
    accuracy_percent: float | None
    interval_percent: tuple[float, float] | None
    cost_usd: float | None
    context_tokens: float | None
    memory_tokens: float | None
    latency_p50_ms: float | None
    change: Change | None
    since_base: Paired | None


@dataclass(frozen=True, slots=True)
class LadderResult:
    """A measured ladder, the base first; `questions` are those that every step was asked."""

    name: str
    release: str
    system: str
    dataset_sha256: str
    file_sha256: str
    conversations: int
    questions: int
    steps: tuple[LadderStep, ...]

    @property
    def valid(self) -> bool:
        """Whether every step has few enough questions without a verdict."""
        return all(step.valid for step in self.steps)

    @property
    def headline(self) -> str:
        """What the whole ladder comes to, and which step moves most, in a sentence."""
        first, last = self.steps[0], self.steps[-1]
        if first.accuracy_percent is None or last.accuracy_percent is None:
            return "A step has no verdicts yet."
        whole = f"{last.accuracy_percent - first.accuracy_percent:+.2f}"
        text = (
            f"From {first.accuracy_percent:.2f} % ({first.name}) to {last.accuracy_percent:.2f} % "
            f"({last.name}): {whole} points"
        )
        points = {
            one.name: 100 * (one.change.paired.difference or 0.0)
            for one in self.steps
            if one.change is not None
        }
        most = max(points, key=lambda name: abs(points[name]))
        if not points[most]:
            return f"{text}; no step moved anything."
        return f"{text}; {most} moves most, by {points[most]:+.2f}."


def read_ladders(
    database_path: Path,
    release: str,
    ladder: str | None = None,
    *,
    margin_points: float,
    max_error_percent: float,
) -> list[LadderResult]:
    """The ladders measured of a release, or the one of this name.

    Raises NoLadderError where that one was not measured.
    """
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(
            _sql("ladder_steps"), {"release": release, "ladder": ladder}
        ).fetchall()
        noted: dict[str, list[_Noted]] = {}
        for row in rows:
            noted.setdefault(row[0], []).append(_Noted(release, *row))
        if ladder is not None and not noted:
            raise NoLadderError(
                f"release {release}: no ladder {ladder} was measured of it; `locomo-assets ladder "
                f"{ladder} --release {release}` does"
            )
        rule = _Rule(margin_points / 100, max_error_percent)
        return [_result(connection, steps, rule) for steps in noted.values()]


class _Rule(NamedTuple):
    margin: float
    max_error_percent: float


class _Noted(NamedTuple):
    """A row of `ladder_steps`."""

    release: str
    ladder: str
    file_sha256: str
    step_index: int
    name: str
    parent: str | None
    changed: str
    configuration_json: str
    question_protocol: str
    judge: str
    system: str
    dataset_sha256: str
    noted_at: Any

    @property
    def series(self) -> Series:
        return Series(
            self.release,
            self.system,
            self.question_protocol,
            self.judge,
            self.dataset_sha256,
            self.noted_at,
        )


class _Usage(NamedTuple):
    """What a question took."""

    input_tokens: int | None
    memory_tokens: int | None
    latency_ms: float | None
    cost_usd: float | None
    is_judged: bool
    judge_cost_usd: float | None

    @property
    def whole_usd(self) -> float | None:
        if self.cost_usd is None or (self.is_judged and self.judge_cost_usd is None):
            return None
        return self.cost_usd + (self.judge_cost_usd or 0.0)


class _Seen(NamedTuple):
    """A step with all that the history has of its questions."""

    noted: _Noted
    measured: Measured
    side: Side
    usage: Sequence[_Usage]


def _result(
    connection: duckdb.DuckDBPyConnection, noted: Sequence[_Noted], rule: _Rule
) -> LadderResult:
    asked = [read_questions(connection, one.series) for one in noted]
    common = {key for key, row in asked[0].items() if row["category"] != ADVERSARIAL}
    common = common.intersection(*(common_questions(asked[0], each) for each in asked[1:]))
    keys = sorted(common)
    seen = [
        _seen(connection, one, {key: questions[key] for key in keys}, rule)
        for one, questions in zip(noted, asked, strict=True)
    ]
    changes = _changes(connection, seen, keys, rule)
    base, first = seen[0].measured, noted[0]
    return LadderResult(
        name=first.ladder,
        release=first.release,
        system=first.system,
        dataset_sha256=first.dataset_sha256,
        file_sha256=first.file_sha256,
        conversations=len({conversation for conversation, _ in keys}),
        questions=len(keys),
        steps=tuple(
            _step(
                one,
                changes.get(one.noted.name),
                _paired(keys, BothMeasured(base, one.measured), rule) if one.noted.parent else None,
            )
            for one in seen
        ),
    )


def _seen(
    connection: duckdb.DuckDBPyConnection,
    noted: _Noted,
    questions: Mapping[Question, Mapping[str, Any]],
    rule: _Rule,
) -> _Seen:
    side = side_of(noted.series, questions, list(questions), rule.max_error_percent)
    rows = connection.execute(_sql("answer_usage"), noted.series.parameters()).fetchall()
    return _Seen(
        noted,
        Measured(connection, noted.series, questions),
        replace(side, release=f"step {noted.name}"),
        [_Usage(*row[2:]) for row in rows if (row[0], row[1]) in questions],
    )


def _paired(keys: Sequence[Question], both: BothMeasured, rule: _Rule) -> Paired:
    return part_of(keys, both, rule.margin).evidence[0].paired


def _changes(
    connection: duckdb.DuckDBPyConnection,
    seen: Sequence[_Seen],
    keys: Sequence[Question],
    rule: _Rule,
) -> dict[str, Change]:
    """By step: each but the base against the one that it changes."""
    by_name = {one.noted.name: one for one in seen}
    sides = [(by_name[one.noted.parent], one) for one in seen if one.noted.parent is not None]
    parts = [
        part_of(keys, BothMeasured(before.measured, one.measured), rule.margin)
        for before, one in sides
    ]
    adjusted = adjust_by_holm([part.evidence for part in parts])
    there = conversations_there(connection, seen[0].noted.dataset_sha256)
    changes = {}
    for (before, one), part, evidence in zip(sides, parts, adjusted, strict=True):
        flips = [
            (flip.step, flip.flip)
            for flip in read_flips(connection, before.noted.series, one.noted.series)
            if (flip.conversation, flip.question_index) in one.measured.questions
        ]
        why = why_invalid((before.side, one.side), rule.max_error_percent)
        decision = decide(
            evidence[0],
            evidence[1:],
            margin=rule.margin,
            unanswered=part.unanswered,
            conversations_there=there,
        )
        changes[one.noted.name] = Change(
            against=before.noted.name,
            paired=evidence[0].paired,
            p_holm=evidence[0].p_values.differs,
            bounds=part.bounds(),
            decision=Decision(Conclusion.INVALID, why) if why else decision,
            bridge=bridge_of(flips),
        )
    return changes


def _step(seen: _Seen, change: Change | None, since_base: Paired | None) -> LadderStep:
    noted, measured, side, usage = seen
    shares: dict[str, list[float]] = {}
    for key in measured.questions:
        if (share := measured.share(key)) is not None:
            shares.setdefault(key[0], []).append(share.mean)
    found = clustered_mean([Cluster(len(values), sum(values)) for values in shares.values()])
    interval = found.interval
    costs = [one.whole_usd for one in usage]
    latencies = [one.latency_ms for one in usage if one.latency_ms is not None]
    return LadderStep(
        name=noted.name,
        changed=noted.changed,
        configuration=json.loads(noted.configuration_json),
        question_protocol=noted.question_protocol,
        judge=noted.judge,
        scored=found.values,
        error_percent=side.error_percent,
        valid=side.valid,
        accuracy_percent=None if found.mean is None else 100 * found.mean,
        interval_percent=interval and (100 * interval.low, 100 * interval.high),
        cost_usd=None if None in costs or not costs else sum(filter(None, costs)) / len(costs),
        context_tokens=_mean([one.input_tokens for one in usage]),
        memory_tokens=_mean([one.memory_tokens for one in usage]),
        latency_p50_ms=median(latencies) if latencies else None,
        change=change,
        since_base=since_base,
    )


def _mean(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _sql(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
