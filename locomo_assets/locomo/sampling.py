"""A stratified sample of a data set's questions, which depends only on the data set and the size.

Strata are conversation × category (1 to 4, without adversarial questions). Each gets its share by
largest remainder; within a stratum a seeded hash orders the questions.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

SEED = "locomo-sample-1"
"""A different seed gives a different sample, and starts a new series of results."""

_ADVERSARIAL = 5


class AskedQuestion(Protocol):
    """The fields of a question that sampling needs."""

    @property
    def question_index(self) -> int: ...
    @property
    def category(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """Question indices by conversation. `sample_id` identifies the choice of questions."""

    sample_id: str
    questions: Mapping[str, frozenset[int]]


def stratified_sample(conversations: Mapping[str, Sequence[AskedQuestion]], size: int) -> Sample:
    """A sample of `size` questions, or all if there are fewer, from conversations by name."""
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


def share_of(
    conversation: str, questions: Sequence[AskedQuestion], share: float, seed: str
) -> frozenset[int]:
    """A share of a conversation's questions, by category, in an order that the seed makes random.

    A larger share has all that a smaller one has. So many conversations together have the share as
    nearly as can be: what a category rounds up and what it rounds down is random, too.
    """
    strata: dict[int, list[int]] = {}
    for question in questions:
        strata.setdefault(question.category, []).append(question.question_index)
    chosen: set[int] = set()
    for category, indices in strata.items():
        start = int(_rank(seed, conversation, category)[:13], 16) / 16**13
        in_order = sorted(indices, key=lambda index: _rank(seed, conversation, index))
        chosen.update(in_order[: int(share * len(indices) + start)])
    return frozenset(chosen if share < 1 else (q.question_index for q in questions))


def _shares(
    strata: Mapping[tuple[str, int], Sequence[int]], size: int
) -> dict[tuple[str, int], int]:
    """How many questions each stratum gets: its integer share, then one by largest remainder."""
    total = sum(map(len, strata.values()))
    size = min(size, total)
    shares = {key: size * len(indices) // total for key, indices in strata.items()}
    left = size - sum(shares.values())
    by_remainder = sorted(strata, key=lambda key: (-(size * len(strata[key]) % total), _rank(*key)))
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares


def _rank(*parts: object) -> str:
    return hashlib.sha256(":".join(map(str, (SEED, *parts))).encode()).hexdigest()


def _id(chosen: Mapping[str, Iterable[int]]) -> str:
    listed = [f"{name}:{index}" for name, indices in chosen.items() for index in sorted(indices)]
    return f"{len(listed)}-{hashlib.sha256(' '.join(listed).encode()).hexdigest()[:8]}"
