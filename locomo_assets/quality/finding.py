"""The outcome of looking at something that must hold.

Here: the value. The looking is `dataset`, `conversation` and `release`; who shows it is `pipeline`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Number = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What was expected and what was found, in words, with the numbers behind it.

    `grave` says what a failure means: the results can't be used, or (False) look at them with
    care. Of a finding that passed it says nothing.
    """

    passed: bool
    expected: str
    actual: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    grave: bool = True
