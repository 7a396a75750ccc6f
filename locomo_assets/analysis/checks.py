"""Checks of a data set, a conversation's stages and a release; each returns a `Finding`.

Most take numbers alone; Dagster's asset checks show the findings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.comparison import Comparison
from locomo_assets.analysis.comparison.decision import Conclusion, in_points
from locomo_assets.analysis.drift.alarms import FALSE_ALARMS_A_YEAR
from locomo_assets.analysis.drift.history import Drift
from locomo_assets.analysis.repeated_answers import RepeatedAnswer
from locomo_assets.analysis.workload import Workload
from locomo_assets.backboard.ingest import NO_OPERATIONS
from locomo_assets.history import database
from locomo_assets.history.schema import LINEAGE, TABLES
from locomo_assets.locomo.model import OFFICIAL_NAMES, Dataset, to_rows
from locomo_assets.prices import is_free
from locomo_assets.runs.stages import AnswersReport, IngestionCounts

Number = float | int | str | bool


class CheckSeverity(StrEnum):
    """What a failed check means."""

    ERROR = "error"
    """The results can't be used."""

    WARN = "warn"
    """The results need a closer look."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check expected and found, in words, with the numbers behind it.

    `severity` matters only where the check did not pass.
    """

    passed: bool
    expected: str
    actual: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    severity: CheckSeverity = CheckSeverity.ERROR


LOCOMO10 = "79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4"
"""`data/locomo10.json` of snap-research/locomo."""

KNOWN_COUNTS: dict[str, Mapping[int, int]] = {LOCOMO10: {1: 282, 2: 321, 3: 96, 4: 841, 5: 446}}
"""SHA-256 of a file → questions by category."""

_LINEAGE_COLUMNS = frozenset(name for name, _ in LINEAGE)


def counts_by_category(dataset: Dataset) -> Finding:
    """A known file has its known number of questions in each category; any other file passes."""
    questions = [q.category for one in dataset.conversations for q in one.questions]
    counts = {category: questions.count(category) for category in OFFICIAL_NAMES}
    known = KNOWN_COUNTS.get(dataset.sha256)
    return Finding(
        passed=known is None or counts == known,
        expected=_in_words(known) if known else "nothing: this file is not one that is known",
        actual=_in_words(counts),
        numbers={
            "known_data_set": known is not None,
            **{f"questions_category_{category}": count for category, count in counts.items()},
        },
    )


def _in_words(counts: Mapping[int, int]) -> str:
    each = ", ".join(f"{count} of category {category}" for category, count in counts.items())
    return f"{sum(counts.values())} questions: {each}"


def schema(dataset: Dataset) -> Finding:
    """Rows have the columns and types of the history; each conversation has turns, questions and
    evidence within it.
    """
    problems = []
    rows = to_rows(dataset)
    for table, table_rows in rows.items():
        fields = [f for f in TABLES[table] if f.name not in _LINEAGE_COLUMNS]
        expected = {f.name for f in fields} | {"conversation"}
        found = set().union(*table_rows)
        if table_rows and found != expected:
            problems.append(
                f"{table}: unexpected or missing columns {', '.join(sorted(found ^ expected))}"
            )
            continue
        try:
            pa.Table.from_pylist(table_rows, schema=pa.schema(fields))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            problems.append(f"{table}: {' '.join(str(error).split())[:200]}")
    for one in dataset.conversations:
        turns = {turn.dia_id for turn in one.turns}
        if not one.turns or not one.questions:
            problems.append(f"{one.conversation} has no turns or no questions")
        if any(not turns.issuperset(question.evidence) for question in one.questions):
            problems.append(f"{one.conversation} has evidence that is not one of its turns")
    unresolved = sum(
        bool(q.evidence_unresolved) for one in dataset.conversations for q in one.questions
    )
    return Finding(
        passed=not problems,
        expected="rows of the history's tables; turns, questions and their evidence in each "
        "conversation",
        actual="; ".join(problems[:5]) or "as expected",
        numbers={
            "problems": len(problems),
            **{f"rows_{table}": len(table_rows) for table, table_rows in rows.items()},
            "questions_with_unreadable_evidence": unresolved,
        },
    )


def ingestion_complete(counts: IngestionCounts) -> Finding:
    """The service has as many messages as there are turns, and every memory operation has ended.

    A failed or timed out operation has ended too, but there must have been one. An ingestion from
    before the service's messages were counted is checked by our own count.
    """
    turns, ingested, on_server = counts.turns, counts.turns_ingested, counts.messages_on_server
    ended = {
        "completed": counts.operations_completed,
        "failed": counts.operations_failed,
        "timed_out": counts.operations_timed_out,
    }
    operations = sum(ended.values()) if counts.operations is None else counts.operations
    still_open = operations - sum(ended.values())
    counted = "not counted there" if on_server is None else f"{on_server} messages there"
    in_words = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in ended.items())
    details: dict[str, Number] = {
        "turns": turns,
        "turns_ingested": ingested,
        "operations": operations,
        **{f"operations_{name}": count for name, count in ended.items()},
        "operations_open": still_open,
        "memories": counts.memories,
    }
    if on_server is not None:
        details["messages_on_server"] = on_server
    # Memory is on in every ingestion; where operations were not counted, nothing is known.
    without = counts.operations == 0 and ingested > 0
    return Finding(
        passed=ingested == turns and on_server in (None, turns) and still_open == 0 and not without,
        expected=f"{turns} turns at the service, {operations or 'their'} memory operations ended",
        actual=f"{ingested} turns sent, {counted}; operations: {in_words}, {still_open} open"
        + (f"; {NO_OPERATIONS}" if without else ""),
        numbers=details,
    )


def answers_complete(report: AnswersReport) -> Finding:
    """Every question has an answer. A question without a row is an error.

    A question the service left unanswered is a warning: it counts against the release's error
    budget, and the next run asks it again.
    """
    questions, reused, unanswered = report.questions, report.reused, report.unanswered
    answered = report.answered + reused
    missing = questions - answered - unanswered
    return Finding(
        passed=answered == questions,
        expected=f"{questions} answered",
        actual=f"{answered} answered, {unanswered} unanswered, {missing} not asked",
        numbers={
            "questions": questions,
            "answered": answered,
            "unanswered": unanswered,
            "not_asked": missing,
            "reused": reused,
        },
        severity=CheckSeverity.ERROR if missing else CheckSeverity.WARN,
    )


def not_reached(expected: str, error: Exception) -> Finding:
    """The finding of a stage that ended with an exception."""
    return Finding(passed=False, expected=expected, actual=" ".join(str(error).split()))


_SQL = Path(__file__).with_name("release_check.sql")


def release_is_what_was_measured(database_path: Path, release: str) -> Finding:
    """Fails where the release changed while a conversation was measured: its results then mix two
    releases. An unknown release passes.
    """
    expected = "the feed's newest release is this one before and after each conversation's work"
    with database.open_read_only(database_path) as connection:
        row = connection.execute(_SQL.read_text(encoding="utf-8"), {"release": release}).fetchone()
    verdict, changed, refusals, reason = row or (None, 0, 0, None)
    texts = {
        "as_labelled": "it is",
        "release_changed": f"it changed during {changed} conversations: {reason}",
        "exempt": f"exempt: {reason}",
        "unknown": f"unknown: {reason}",
        None: "not checked",
    }
    refused = f"; work was refused {refusals} times: another release was out" if refusals else ""
    return Finding(
        passed=verdict != "release_changed",
        expected=expected,
        actual=f"{texts[verdict]}{refused}",
        numbers={
            "release_check": verdict or "none",
            "conversations_changed": changed,
            "refusals": refusals,
        },
    )


MAX_API_ERROR_PERCENT = 5.0


def error_budget(row: Accuracy, max_error_percent: float) -> Finding:
    """Few enough questions are without a verdict; above that the release's numbers are invalid."""
    return Finding(
        passed=row.valid,
        expected=f"at most {max_error_percent:g} % of the questions without a verdict",
        actual=f"{row.error_percent:.2f} %: {row.unanswered} unanswered, {row.unscored} unscored, "
        f"{row.not_judged} not judged of {row.questions}",
        numbers={
            "error_percent": row.error_percent,
            "max_error_percent": max_error_percent,
            "questions": row.questions,
            "scored": row.scored,
            "unanswered": row.unanswered,
            "unscored": row.unscored,
            "not_judged": row.not_judged,
        },
    )


def api_errors(workload: Workload) -> Finding:
    """Few enough requests failed for good. A request that succeeded when repeated is no failure."""
    percent = 100.0 * workload.requests_failed / max(workload.requests, 1)
    return Finding(
        passed=percent <= MAX_API_ERROR_PERCENT,
        expected=f"at most {MAX_API_ERROR_PERCENT:g} % of the requests failed for good",
        actual=f"{percent:.2f} %: {workload.requests_failed} of {workload.requests} failed for "
        f"good; {workload.repeats} of {workload.tries} tries were repeats after a failed one",
        numbers={
            "api_error_percent": round(percent, 2),
            "max_api_error_percent": MAX_API_ERROR_PERCENT,
            "requests": workload.requests,
            "requests_failed": workload.requests_failed,
            "tries": workload.tries,
            "repeats": workload.repeats,
        },
        severity=CheckSeverity.WARN,
    )


def distinct_answers(repeated: RepeatedAnswer) -> Finding:
    """No answer stands for many questions, unless it declines them."""
    return Finding(
        passed=not repeated.is_suspicious,
        expected=f"no answer but a declining one stands for more than {repeated.allowed:.0f} of "
        f"{repeated.answered} questions",
        actual=repeated.line(),
        numbers={
            "questions_of_commonest_answer": repeated.questions,
            "commonest_answer_percent": round(repeated.percent, 2),
            "answered": repeated.answered,
        },
        severity=CheckSeverity.WARN,
    )


def accuracy(row: Accuracy, judge_system: str | None, min_accuracy_percent: float) -> Finding:
    """High enough, where a real service was measured and a model judged; else it passes."""
    limited = not (is_free(row.system) or is_free(judge_system))
    if row.accuracy_percent is None:
        actual = "nothing is scored"
    else:
        actual = f"{row.accuracy_percent:.2f} % (95 % interval {_interval(row)})"
    if row.bounds_percent is not None:
        low, high = row.bounds_percent
        actual += (
            f", {low:.2f} – {high:.2f} % whatever the {row.questions - row.scored} missing are"
        )
    if not row.valid:
        actual += ", not valid: too many questions without a verdict"
    expected = f"at least {min_accuracy_percent:g} %"
    if not limited:
        expected = f"no limit ({row.system} measured, {row.judge} judged; else {expected})"
    enough = row.valid and (row.accuracy_percent or 0.0) >= min_accuracy_percent
    return Finding(
        passed=enough or not limited,
        expected=expected,
        actual=actual,
        numbers={
            "held_to_it": limited,
            "valid": row.valid,
            "min_accuracy_percent": min_accuracy_percent,
            "scored": row.scored,
        },
        severity=CheckSeverity.WARN,
    )


def _interval(row: Accuracy) -> str:
    if row.interval_percent is None:
        return "not known: no spread between the conversations is seen"
    low, high = row.interval_percent
    wilson = ", Wilson, one conversation only" if row.conversations == 1 else ""
    return f"{low:.1f} – {high:.1f}{wilson}"


def run_time(workload: Workload, max_run_minutes: float) -> Finding:
    """Fast enough; pauses between runs do not count."""
    return Finding(
        passed=workload.minutes <= max_run_minutes,
        expected=f"at most {max_run_minutes:g} minutes at work",
        actual=f"{workload.minutes:.1f} minutes",
        numbers={"minutes": round(workload.minutes, 2), "max_run_minutes": max_run_minutes},
        severity=CheckSeverity.WARN,
    )


MIN_RIGHT_ACCEPTED_PERCENT = 80.0
MAX_WRONG_ACCEPTED_PERCENT = 20.0
"""Published: specific wrong answers pass a generous prompt 10.6 % of the time."""


def judge_canaries(numbers: Mapping[str, float]) -> Finding:
    """The judge accepts most right and few wrong canaries; `numbers` are `canary_numbers`'.

    Vague canaries do not decide: a generous prompt is meant to accept them, a strict one is not.
    """
    right = numbers.get("canaries_right_accepted_percent")
    wrong = numbers.get("canaries_wrong_accepted_percent")
    expected = (
        f"at least {MIN_RIGHT_ACCEPTED_PERCENT:g} % of the right canaries accepted, at most "
        f"{MAX_WRONG_ACCEPTED_PERCENT:g} % of the wrong ones"
    )
    if right is None or wrong is None:
        return Finding(True, expected, "no canaries were judged with this release")
    vague = numbers.get("canaries_vague_accepted_percent")
    return Finding(
        right >= MIN_RIGHT_ACCEPTED_PERCENT and wrong <= MAX_WRONG_ACCEPTED_PERCENT,
        expected,
        f"{right:g} % of the right, {wrong:g} % of the wrong"
        + ("" if vague is None else f", {vague:g} % of the vague ones"),
        dict(numbers),
        severity=CheckSeverity.WARN,
    )


def not_below_previous(previous: str | None, comparison: Comparison | str) -> Finding:
    """The release is not worse than the release before it in the same series, by the margin.

    The comparison may be the reason why the two can't be compared.
    """
    expected = "not worse than the release before it"
    if previous is None:
        return Finding(True, expected, "the first release of its series with these questions")
    if isinstance(comparison, str):
        return Finding(True, expected, f"not compared: {comparison}")
    return not_worse(comparison)


def no_drift(drift: Drift | None) -> Finding:
    """Accuracy has not gone down over the releases; None where nothing is measured."""
    numbers: dict[str, Number] = {}
    if drift is not None:
        numbers = {
            "releases": len(drift.releases),
            "questions": drift.questions,
            "conversations": drift.conversations,
            "baseline": drift.baseline or "none",
            "left_out": "; ".join(f"{name}: {why}" for name, why in drift.left_out) or "none",
        }
    if drift is not None and drift.slope is not None:
        numbers["slope_points_a_release"] = round(100 * drift.slope.change, 3)
        numbers["smallest_fall_seen_points_a_release"] = round(100 * drift.slope.detectable, 3)
    return Finding(
        passed=drift is None or not drift.raised,
        expected="no fall over the releases, beyond what chance explains "
        f"({100 * FALSE_ALARMS_A_YEAR:g} % false alarms a year)",
        actual="nothing is measured yet" if drift is None else drift.in_words,
        numbers=numbers,
        severity=CheckSeverity.WARN,
    )


_NOT_WORSE = frozenset({Conclusion.NOT_WORSE, Conclusion.UNCHANGED})


def not_worse(comparison: Comparison) -> Finding:
    """Passes where a drop as large as the margin is ruled out, fails where B is worse.

    Between them it could not be told: a warning, with the drop that would have been seen.
    """
    a, b, overall = comparison.a.release, comparison.b.release, comparison.overall
    paired, decision = overall.paired, overall.verdict
    accuracies = [
        "not scored" if one is None else f"{one * 100:.2f} %"
        for one in (paired.accuracy_a, paired.accuracy_b)
    ]
    passed = bool(_NOT_WORSE.intersection(decision.claims))
    failed = not passed and decision.word is Conclusion.WORSE
    seen = paired.minimal_detectable_difference
    numbers: dict[str, Number] = {
        "told": passed or failed,
        "margin_points": comparison.margin_points,
        "decision": str(decision.word),
    }
    if paired.difference is not None:
        numbers["difference_points"] = round(100 * paired.difference, 2)
    if seen is not None:
        numbers["smallest_drop_seen_points"] = round(100 * seen, 2)
    margin = in_points(comparison.margin_points / 100)
    told = "" if passed or failed else "could not be told: "
    drop = "no drop could be seen" if seen is None or seen > 1 else f"a drop of {seen * 100:.2f}"
    drop += "" if seen is None or seen > 1 else " points would have been seen in 80 of 100"
    return Finding(
        passed=passed,
        expected=f"{b} not worse than {a} ({accuracies[0]}) by {margin}",
        actual=f"{told}{b} ({accuracies[1]}), {paired.questions} questions: {decision.word}; "
        f"{decision.because}; {drop}",
        numbers=numbers,
        severity=CheckSeverity.ERROR if failed else CheckSeverity.WARN,
    )
