"""What must hold of a release's numbers before they are believed, and what is worth a warning.

Here: error budget, API errors, accuracy and run time of one series. Whether it is better or worse
than the release before is another question.
"""

from locomo_assets.quality.finding import Finding
from locomo_assets.reporting.accuracy import Accuracy
from locomo_assets.reporting.effort import Effort

MAX_API_ERROR_PERCENT = 5.0
UNHELD_SYSTEMS = ("standin", "lexical")
"""Measured or judging systems whose accuracy says nothing of the service."""


def error_budget(row: Accuracy, max_error_percent: float) -> Finding:
    """Few enough questions without a verdict; else the release's numbers are not valid."""
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


def api_errors(effort: Effort) -> Finding:
    """Few enough requests that failed for good; what went well when repeated is told apart."""
    percent = 100.0 * effort.requests_failed / max(effort.requests, 1)
    return Finding(
        passed=percent <= MAX_API_ERROR_PERCENT,
        expected=f"at most {MAX_API_ERROR_PERCENT:g} % of the requests failed for good",
        actual=f"{percent:.2f} %: {effort.requests_failed} of {effort.requests} failed for good; "
        f"{effort.repeats} of {effort.tries} tries were repeats after a failed one",
        numbers={
            "api_error_percent": round(percent, 2),
            "max_api_error_percent": MAX_API_ERROR_PERCENT,
            "requests": effort.requests,
            "requests_failed": effort.requests_failed,
            "tries": effort.tries,
            "repeats": effort.repeats,
        },
        grave=False,
    )


def accuracy(row: Accuracy, judge_system: str | None, min_accuracy_percent: float) -> Finding:
    """High enough, where a real service was measured and a model judged; else only told."""
    held = row.system not in UNHELD_SYSTEMS and judge_system not in UNHELD_SYSTEMS
    if row.accuracy_percent is None:
        actual = "nothing is scored"
    else:
        interval = f"{row.low_percent:.1f} – {row.high_percent:.1f}"
        actual = f"{row.accuracy_percent:.2f} % (95 % interval {interval})"
    if not row.valid:
        actual += ", not valid: too many questions without a verdict"
    expected = f"at least {min_accuracy_percent:g} %"
    if not held:
        expected = f"nothing: measured is {row.system}, judged by {row.judge}; else {expected}"
    enough = row.valid and (row.accuracy_percent or 0.0) >= min_accuracy_percent
    return Finding(
        passed=enough or not held,
        expected=expected,
        actual=actual,
        numbers={
            "held_to_it": held,
            "valid": row.valid,
            "min_accuracy_percent": min_accuracy_percent,
            "scored": row.scored,
        },
        grave=False,
    )


def run_time(effort: Effort, max_run_minutes: float) -> Finding:
    """Quick enough; pauses between runs do not count."""
    return Finding(
        passed=effort.minutes <= max_run_minutes,
        expected=f"at most {max_run_minutes:g} minutes at work",
        actual=f"{effort.minutes:.1f} minutes",
        numbers={"minutes": round(effort.minutes, 2), "max_run_minutes": max_run_minutes},
        grave=False,
    )
