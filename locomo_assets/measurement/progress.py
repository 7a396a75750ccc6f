"""How far a run is: counts that grow while it works.

Here: the counts and who is told of them. How they are drawn is the caller's: a terminal in
`cli`, asset observations in `pipeline`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Counts:
    """What is done of what is to do. `requests` counts HTTP requests, each try, with the tokens
    they told of; `errors` those that failed. `waits_for` names who is in the way of a run that
    has not begun.
    """

    turns: int = 0
    turns_to_do: int = 0
    questions: int = 0
    questions_to_do: int = 0
    verdicts: int = 0
    verdicts_to_do: int = 0
    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    waits_for: str = ""


@dataclass
class Progress:
    """The counts of one run, and those who listen. Used from one event loop only."""

    listeners: list[Callable[[Counts], None]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def add(self, **more: float) -> None:
        """Adds to the named counts and tells the listeners."""
        now = {name: getattr(self.counts, name) + value for name, value in more.items()}
        self._tell(replace(self.counts, **now))

    def wait_for(self, whom: str) -> None:
        """Tells the listeners who is in the way; the empty text: nobody any more."""
        if whom or self.counts.waits_for:
            self._tell(replace(self.counts, waits_for=whom))

    def _tell(self, counts: Counts) -> None:
        self.counts = counts
        for listener in self.listeners:
            listener(self.counts)
