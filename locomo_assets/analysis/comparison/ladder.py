"""What each step of a ladder changed: its configurations side by side, under one release.

All of it is over the questions that every step was asked. Measuring a ladder belongs to
`pipeline.ladder`, reading its file to `settings.variants`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    Part,
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
        moved = [one for one in self.steps[1:] if one.change and one.change.paired.difference]
        text = (
            f"From {first.accuracy_percent:.2f} % ({first.name}) to {last.accuracy_percent:.2f} % "
            f"({last.name}): {whole} points"
        )
        if not moved:
            return f"{text}; no step moved anything."
        most = max(
            moved, key=lambda one: abs(one.change.paired.difference or 0.0) if one.change else 0
        )
        points = 100 * (most.change.paired.difference or 0.0) if most.change else 0.0
        return f"{text}; {most.name} moves most, by {points:+.2f}."


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
    index: int
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


def _result(
    connection: duckdb.DuckDBPyConnection, noted: Sequence[_Noted], rule: _Rule
) -> LadderResult:
    asked = [read_questions(connection, one.series) for one in noted]
    common = [key for key in asked[0] if asked[0][key]["category"] != ADVERSARIAL]
    for questions in asked[1:]:
        same = set(common_questions(asked[0], questions))
        common = [key for key in common if key in same]
    common.sort()
    measured = {
        one.name: Measured(connection, one.series, {key: questions[key] for key in common})
        for one, questions in zip(noted, asked, strict=True)
    }
    sides = {
        one.name: side_of(
            one.series,
            {key: questions[key] for key in common},
            common,
            rule.max_error_percent,
        )
        for one, questions in zip(noted, asked, strict=True)
    }
    changes = _changes(connection, noted, measured, sides, common, rule)
    base = measured[noted[0].name]
    steps = []
    for one in noted:
        since = BothMeasured(base, measured[one.name])
        steps.append(
            _step(
                one,
                measured[one.name],
                sides[one.name],
                _usage(connection, one.series, common),
                changes.get(one.name),
                part_of(common, since, rule.margin).evidence[0].paired if one.parent else None,
            )
        )
    first = noted[0]
    return LadderResult(
        name=first.ladder,
        release=first.release,
        system=first.system,
        dataset_sha256=first.dataset_sha256,
        file_sha256=first.file_sha256,
        conversations=len({conversation for conversation, _ in common}),
        questions=len(common),
        steps=tuple(steps),
    )


def _changes(
    connection: duckdb.DuckDBPyConnection,
    noted: Sequence[_Noted],
    measured: Mapping[str, Measured],
    sides: Mapping[str, Side],
    common: Sequence[Question],
    rule: _Rule,
) -> dict[str, Change]:
    """By step: each but the base against the one that it changes."""
    by_name = {one.name: one for one in noted}
    parts: dict[str, Part] = {
        one.name: part_of(
            common, BothMeasured(measured[one.parent], measured[one.name]), rule.margin
        )
        for one in noted
        if one.parent is not None
    }
    adjusted = adjust_by_holm([part.evidence for part in parts.values()])
    there = conversations_there(connection, noted[0].dataset_sha256)
    wanted = set(common)
    changes = {}
    for (name, part), evidence in zip(parts.items(), adjusted, strict=True):
        step = by_name[name]
        parent = by_name[str(step.parent)]
        flips = [
            (flip.step, flip.flip)
            for flip in read_flips(connection, parent.series, step.series)
            if (flip.conversation, flip.question_index) in wanted
        ]
        named = [_named(sides[one.name], one.name) for one in (parent, step)]
        why = why_invalid(named, rule.max_error_percent)
        decision = decide(
            evidence[0],
            evidence[1:],
            margin=rule.margin,
            unanswered=part.unanswered,
            conversations_there=there,
        )
        changes[name] = Change(
            against=parent.name,
            paired=evidence[0].paired,
            p_holm=evidence[0].p_values.differs,
            bounds=part.bounds(),
            decision=Decision(Conclusion.INVALID, why) if why else decision,
            bridge=bridge_of(flips),
        )
    return changes


def _named(side: Side, name: str) -> Side:
    from dataclasses import replace

    return replace(side, release=f"step {name}")


def _step(
    noted: _Noted,
    measured: Measured,
    side: Side,
    usage: Sequence[_Usage],
    change: Change | None,
    since_base: Paired | None,
) -> LadderStep:
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


def _usage(
    connection: duckdb.DuckDBPyConnection, series: Series, common: Sequence[Question]
) -> list[_Usage]:
    wanted = set(common)
    rows = connection.execute(_sql("answer_usage"), series.parameters()).fetchall()
    return [_Usage(*row[2:]) for row in rows if (row[0], row[1]) in wanted]


def _mean(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _sql(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text()
