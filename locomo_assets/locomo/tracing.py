"""Which turns a memory holds, told from its words alone.

For services that do not say which memories a turn led to. The words of a memory that are rare in
the conversation weigh most; docs/diagnosis.md says how often the result is right.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from locomo_assets.locomo.text_scores import stems

_LEAST_SHARE = 0.4
_LEAST_RARE_WORDS = 1.6
_AS_GOOD = 0.95
_SAID_BY_ITS_SUBJECT = 1.5
"""Chosen on the observations of five conversations; measured on those of the other five."""

_SAYS_NOTHING = frozenset(
    stems(
        "a about all also am an and any are as at be because been being both but by can could "
        "did do does for from get got had has have he her hers him his how i if in into is it "
        "its just like me more my not of on one or our out over say said she so some than that "
        "the their them there they thing this those to too up us very was we were what when "
        "where which who why will with would you your january february march april may june "
        "july august september october november december monday tuesday wednesday thursday "
        "friday saturday sunday"
    )
)


class Said(NamedTuple):
    """A turn: its id, who speaks, and all that it says, images included."""

    dia_id: str
    speaker: str
    text: str


def trace(memories: Sequence[str], turns: Sequence[Said]) -> list[tuple[str, ...]]:
    """For each memory the ids of the turns that it holds: none, one, or several as good.

    A word weighs the logarithm of how rare it is in the conversation. A turn counts if it shares
    at least `_LEAST_SHARE` of the weight of the memory's words that anybody has said, and as much
    as `_LEAST_RARE_WORDS` words that are said once. A turn of the person whom the memory names
    first is preferred.
    """
    words = {turn.dia_id: _telling(f"{turn.speaker} {turn.text}") for turn in turns}
    counts = Counter(word for one in words.values() for word in one)
    weights = {word: math.log(1 + len(words) / count) for word, count in counts.items()}
    least_weight = _LEAST_RARE_WORDS * math.log(1 + len(words))
    places: dict[str, list[str]] = defaultdict(list)
    for dia_id, telling in words.items():
        for word in telling:
            places[word].append(dia_id)
    speaker_of = {turn.dia_id: turn.speaker for turn in turns}
    speakers = sorted(set(speaker_of.values()))
    found = []
    for memory in memories:
        # In a fixed order, so that the sums are always the same.
        known = sorted(_telling(memory) & weights.keys())
        shared: dict[str, float] = defaultdict(float)
        for word in known:
            for dia_id in places[word]:
                shared[dia_id] += weights[word]
        least = max(least_weight, _LEAST_SHARE * sum(weights[word] for word in known))
        subject = _named_first(memory, speakers)
        fit = {
            dia_id: weight * (_SAID_BY_ITS_SUBJECT if speaker_of[dia_id] == subject else 1)
            for dia_id, weight in shared.items()
        }
        best = max(fit.values(), default=0.0)
        found.append(tuple(d for d in shared if shared[d] >= least and fit[d] >= _AS_GOOD * best))
    return found


def _telling(text: str) -> set[str]:
    return {stem for stem in stems(text) if stem not in _SAYS_NOTHING and not stem.isdigit()}


def _named_first(memory: str, speakers: Sequence[str]) -> str | None:
    places = [(memory.find(name), name) for name in speakers if name and name in memory]
    return min(places)[1] if places else None
