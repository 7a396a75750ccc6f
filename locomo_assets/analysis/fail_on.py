"""The thresholds of a gate, as `--fail-on` names them; what each does belongs to `gate`."""

from enum import StrEnum


class FailOn(StrEnum):
    """What a gate fails on. Each also fails on what those before it fail on."""

    worse = "worse"
    cannot_tell = "cannot-tell"
    not_equivalent = "not-equivalent"
