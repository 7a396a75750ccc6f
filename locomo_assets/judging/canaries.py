"""The packaged canaries: answers with a known verdict, which show what a judge accepts.

Judging them belongs to `runs.canaries`; the view `canary_rates` counts what a judge accepted.
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
    """One answer. A judge should accept a `right` and refuse a `wrong` one.

    A strict judge refuses a `vague` one, too.
    """

    canary_id: str
    kind: Kind
    category: int
    question: str
    gold_answer: str
    answer: str


@dataclass(frozen=True, slots=True)
class CanarySet:
    """All canaries, with the file's SHA-256: verdicts on other canaries can't be compared."""

    sha256: str
    canaries: tuple[Canary, ...]


@cache
def packaged_canaries() -> CanarySet:
    """The packaged set, with equally many of each kind."""
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
