"""The dice behind every fault, and the wish to close a connection without an answer.

Here: drawing, and `ConnectionDroppedError`. Which call meets which fault is `gate` and
`messages`; how a connection is really closed is the business of whoever serves the application
(`server`, `in_process`), who offers it in the scope as `DROP`.
"""

import random

DROP = "standin.drop"
"""The scope's key of an async function without arguments that closes the request's connection."""


class ConnectionDroppedError(Exception):
    """The connection is to be closed now, whatever has been sent."""


class Dice:
    """Draws for shares, each kind of fault from a sequence of its own."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sequences: dict[str, random.Random] = {}

    def hit(self, kind: str, share: float) -> bool:
        """Whether this one is struck. Nothing is drawn for a share of 0."""
        return share > 0 and self.draw(kind) < share

    def draw(self, kind: str) -> float:
        """The next number of this kind, from 0 up to 1."""
        sequence = self._sequences.get(kind)
        if sequence is None:
            sequence = self._sequences[kind] = random.Random(f"{self._seed}:{kind}")
        return sequence.random()
