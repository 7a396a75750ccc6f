"""Answers whose verdict is known, judged along to see what a judge lets pass.

Here: reading the packaged set. When they are judged is `measurement.calibrating`; how many passed
is the view `canary_rates`.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["right", "wrong", "vague"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_FILE = Path(__file__).with_name("canaries.toml")


@dataclass(frozen=True, slots=True)
class Canary:
    """One answer. A judge should accept what is `right`, refuse what is `wrong`; a strict one
    refuses what is `vague`, too.
    """

    canary_id: str
    kind: Kind
    category: int
    question: str
    gold_answer: str
    answer: str


@dataclass(frozen=True, slots=True)
class CanarySet:
    """All of them, with the file's SHA-256: other canaries are another calibration."""

    sha256: str
    canaries: tuple[Canary, ...]


@cache
def packaged_canaries() -> CanarySet:
    """The set that ships: as many of each kind."""
    data = _FILE.read_bytes()
    cases = tomllib.loads(data.decode())["case"]
    return CanarySet(
        hashlib.sha256(data).hexdigest(),
        tuple(
            Canary(
                canary_id=f"{case['id']}/{kind}",
                kind=kind,
                category=case["category"],
                question=case["question"],
                gold_answer=case["gold_answer"],
                answer=case[kind],
            )
            for case in cases
            for kind in KINDS
        ),
    )
