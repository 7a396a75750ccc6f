"""Runs that the real daemon starts, side by side and from backfills, at a counting stand-in."""

import os
from pathlib import Path

HURRY = Path(__file__).parent / "hurry" / "sitecustomize.py"


def hurried() -> dict[str, str]:
    """What to add to the environment of a daemon that shall not wait for its intervals."""
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(HURRY.parent), before]))}
