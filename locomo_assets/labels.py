"""What a release, a conversation, a system and a question protocol may be called.

A label is a partition key of Dagster, a folder of the history, a word of a command and a text of a
page. What is refused here was perhaps measured by an older version: it stays readable, always.
"""

import re
from collections.abc import Iterable

from locomo_assets.errors import LocomoError

LONGEST = 100
"""In characters."""
MOST_BYTES = 200
"""In UTF-8: file systems take names of 255, and a suffix has to fit."""
_LONGEST_PROTOCOL = 400

# Dagster's own dialog refuses `...`, commas, square brackets, blanks and control characters.
_NOT_WITHIN = re.compile(r"[\s|,*/\\\[\]]|\.\.\.")
_UNEXPANDED = re.compile(r"\$[A-Za-z_{(]\w*")


class BadLabelError(LocomoError):
    """A release, or who or what was measured, can't be called so."""

    exit_code = 2


def check_label(label: str, kind: str = "release") -> None:
    """Raises BadLabelError for a label that some part of this could not take back."""
    fault = label_fault(label)
    if fault is not None:
        raise BadLabelError(f"{kind} {_quoted(label)}: {fault}; name it like r1 or 2026-11-23")


def label_fault(label: str) -> str | None:
    """What is wrong with a label, or None."""
    is_short = len(label) <= LONGEST and len(label.encode("utf-8", "replace")) <= MOST_BYTES
    if not label or not is_short or _NOT_WITHIN.search(label):
        return (
            f"a label has 1 to {LONGEST} characters ({MOST_BYTES} bytes), without spaces and "
            "... | , * / \\ [ ]"
        )
    if not label.isprintable():
        return "a label has no control characters, and nothing else that is not seen"
    if not label.strip("."):
        return "a label is not made of dots alone"
    if label.startswith("-"):
        return "a label does not begin with a dash, which a command takes for an option"
    if found := _UNEXPANDED.search(label):
        return f"`{found[0]}` looks like a variable that was not replaced by its value"
    return None


def bad_labels(labels: Iterable[str]) -> dict[str, str]:
    """Those of the labels that are refused, each with what is wrong with it."""
    return {label: fault for label in labels if (fault := label_fault(label)) is not None}


def check_protocol(label: str) -> None:
    """Raises BadLabelError for a question protocol that would not stay one line.

    It names what differs from the published protocol, so it may hold spaces and commas.
    """
    if not (0 < len(label) <= _LONGEST_PROTOCOL and label.isprintable() and label == label.strip()):
        raise BadLabelError(
            f"question protocol {_quoted(label)}: has 1 to {_LONGEST_PROTOCOL} characters on one "
            "line, none of them a space at an end; name it like isolated"
        )


def _quoted(label: str) -> str:
    """As Python writes it, so that what is not seen is seen; cut where it is long."""
    return f"{label!r:.120}"
