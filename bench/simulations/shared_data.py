"""Where the data of others is that the repository does not hold."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("LOCOMO_BENCH_DATA", REPOSITORY.parent / "shared" / "data"))
PUBLISHED = DATA / "backboard-published"
DATASET = DATA / "locomo10.json"
AUDIT = DATA / "locomo-audit-errors.json"


def present(path: Path) -> Path:
    """The path. Raises FileNotFoundError with the way out if it is missing."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: LOCOMO_BENCH_DATA names its folder")
    return path
