"""A fixed sample of a data set's questions, spread as the questions are.

Here: which questions, by nothing but the data set and the size, so that every day asks the same.
Strata are conversation × category (1 to 4; the adversarial ones are never averaged in). Each gets
its share by largest remainder. Within a stratum a seeded hash orders the questions.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

SEED = "locomo-sample-1"
"""Another seed is another sample, and another series of results."""

_ADVERSARIAL = 5


class AskedQuestion(Protocol):
    """What a question must tell."""

    @property
    def question_index(self) -> int: ...
    @property
    def category(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """Conversation → question indices. `sample_id` is the same for the same choice alone."""

    sample_id: str
    questions: Mapping[str, frozenset[int]]


def stratified_sample(conversations: Mapping[str, Sequence[AskedQuestion]], size: int) -> Sample:
    """`size` questions (all, where there are fewer) of conversations by name."""
    strata: dict[tuple[str, int], list[int]] = {}
    for name, questions in conversations.items():
        for question in questions:
            if question.category != _ADVERSARIAL:
                key = (name, question.category)
                strata.setdefault(key, []).append(question.question_index)
    chosen: dict[str, set[int]] = {}
    for (name, category), count in _shares(strata, size).items():
        in_order = sorted(strata[name, category], key=lambda index: _rank(name, index))
        chosen.setdefault(name, set()).update(in_order[:count])
    questions_of = {name: frozenset(chosen[name]) for name in sorted(chosen) if chosen[name]}
    return Sample(_id(questions_of), questions_of)


def _shares(
    strata: Mapping[tuple[str, int], Sequence[int]], size: int
) -> dict[tuple[str, int], int]:
    """Questions of each stratum: whole parts first, then one each by the largest remainder."""
    whole = sum(map(len, strata.values()))
    size = min(size, whole)
    shares = {key: size * len(its) // whole for key, its in strata.items()}
    left = size - sum(shares.values())
    by_remainder = sorted(strata, key=lambda key: (-(size * len(strata[key]) % whole), _rank(*key)))
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares


def _rank(*parts: object) -> str:
    return hashlib.sha256(":".join(map(str, (SEED, *parts))).encode()).hexdigest()


def _id(chosen: Mapping[str, Iterable[int]]) -> str:
    listed = [f"{name}:{index}" for name, its in chosen.items() for index in sorted(its)]
    return f"{len(listed)}-{hashlib.sha256(' '.join(listed).encode()).hexdigest()[:8]}"
