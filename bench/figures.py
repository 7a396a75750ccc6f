"""What a measurement gives, and how it is printed and kept."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """`name` is `topic/what`; `unit` is `s`, `ms`, `MiB`, `×` or empty for a plain ratio."""

    name: str
    value: float
    unit: str
    note: str = ""


def table(figures: Sequence[Figure]) -> str:
    """Markdown."""
    lines = ["| what | figure | |", "| --- | --- | --- |"]
    lines += [
        f"| {one.name} | {one.value:,.{1 if abs(one.value) >= 10 else 2}f} {one.unit}".rstrip()
        + f" | {one.note} |"
        for one in figures
    ]
    return "\n".join(lines)


def write(path: Path, figures: Sequence[Figure]) -> None:
    """The figures as JSON, with the machine that they were measured on."""
    about = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    path.write_text(
        json.dumps({**about, "figures": [asdict(one) for one in figures]}, indent=1) + "\n"
    )
