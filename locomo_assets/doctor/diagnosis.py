"""A line of the doctor, and how a check becomes lines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from locomo_assets.errors import LocomoError


class Level(StrEnum):
    """Good; usable, but worth a look; a run would fail or its results could be lost."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line. `way_out` says what to do where it is not ok."""

    subject: str
    level: Level
    found: str
    way_out: str | None = None


class DoctorError(LocomoError):
    """Something fails; the lines say what and the way out."""


def ok(subject: str, found: str) -> Diagnosis:
    return Diagnosis(subject, Level.OK, found)


def warn(subject: str, found: str, way_out: str) -> Diagnosis:
    return Diagnosis(subject, Level.WARN, found, way_out)


def fail(subject: str, found: str, way_out: str | None = None) -> Diagnosis:
    return Diagnosis(subject, Level.FAIL, found, way_out)


def checked(subject: str, check: Callable[[], Iterable[Diagnosis]]) -> list[Diagnosis]:
    """What a check found; one that fails is a line too, because the others are still wanted."""
    try:
        return list(check())
    except LocomoError as error:
        # these texts hold their way out themselves
        return [fail(subject, str(error))]
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        return [fail(subject, f"{type(error).__name__}: {text}")]
