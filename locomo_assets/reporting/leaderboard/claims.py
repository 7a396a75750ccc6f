"""Published claims: figures of others, each with who says so and by which judge; never measured."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).with_name("claims.toml")


class Claim(BaseModel):
    """One figure. `judge` is None where it is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    accuracy_percent: float
    judge: str | None = None
    note: str = ""


class Source(BaseModel):
    """The figures of one source. Its judge is that of all claims that name no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    harness: str
    judge: str | None = None
    about: str
    claim: list[Claim]

    def rows(self) -> list[tuple[str, str, str, str]]:
        """System, accuracy, judge and note, the largest first."""
        return [
            (
                one.system,
                f"{one.accuracy_percent:.2f}",
                one.judge or self.judge or "not known",
                one.note,
            )
            for one in sorted(self.claim, key=lambda one: -one.accuracy_percent)
        ]


class Claims(BaseModel):
    """All sources, and as of when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: str
    source: list[Source]


CLAIM_HEADINGS = ("system", "accuracy %", "judge", "note")


@cache
def read_claims() -> Claims:
    """The packaged claims."""
    return Claims.model_validate(tomllib.loads(_FILE.read_text(encoding="utf-8")))
