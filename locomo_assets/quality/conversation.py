"""What must hold of one conversation of one release, told from what its stages report.

Here: when an ingestion and when answers are complete. The gate itself is elsewhere: an ingestion
that is not complete is never committed (`backboard.ingesting`), and without a committed one no
question is asked (`measurement.stages`).
"""

from collections.abc import Mapping
from typing import Any

from locomo_assets.quality.finding import Finding, Number

Numbers = Mapping[str, Any]


def ingestion_complete(numbers: Numbers) -> Finding:
    """The service counts as many messages as there are turns; every memory operation has ended.

    An operation that failed or that was not waited for any longer has ended too: how many did is
    said. An ingestion of before the service's messages were counted goes by our own count.
    """
    turns, ingested = numbers["turns"], numbers["turns_ingested"]
    on_server = numbers.get("messages_on_server")
    ended = {
        name: numbers[f"operations_{name}"] or 0 for name in ("completed", "failed", "timed_out")
    }
    operations = numbers.get("operations", sum(ended.values()))
    is_open = operations - sum(ended.values())
    counted = "not counted there" if on_server is None else f"{on_server} messages there"
    in_words = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in ended.items())
    told: dict[str, Number] = {
        "turns": turns,
        "turns_ingested": ingested,
        "operations": operations,
        **{f"operations_{name}": count for name, count in ended.items()},
        "operations_open": is_open,
        "memories": numbers["memories"],
    }
    if on_server is not None:
        told["messages_on_server"] = on_server
    return Finding(
        passed=ingested == turns and on_server in (None, turns) and is_open == 0,
        expected=f"{turns} turns at the service, {operations} memory operations ended",
        actual=f"{ingested} turns sent, {counted}; operations: {in_words}, {is_open} open",
        numbers=told,
    )


def answers_complete(numbers: Numbers) -> Finding:
    """Every question asked for is answered; one that has no row at all is grave.

    What the service left unanswered is counted as an error of the release, and asked again by the
    next run.
    """
    questions, reused = numbers["questions"], numbers["reused"]
    answered = numbers.get("answered", 0) + reused
    unanswered = numbers.get("unanswered", 0)
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
        grave=missing != 0,
    )


def not_reached(expected: str, error: Exception) -> Finding:
    """For a stage that ended with an error."""
    return Finding(passed=False, expected=expected, actual=" ".join(str(error).split()))
