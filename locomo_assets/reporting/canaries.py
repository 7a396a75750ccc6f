"""What a release's judge lets pass, as numbers.

Here: reading `canary_rates`. The canaries are `judging.canaries`.
"""

from pathlib import Path

from locomo_assets.history import lens
from locomo_assets.judging.names import judge_alone

_SQL = """
SELECT right_accepted, wrong_accepted, vague_accepted
FROM canary_rates
WHERE release = $1 AND coalesce(system, 'unknown') = $2 AND judge = $3
"""


def canary_numbers(lens_path: Path, release: str, system: str, judge: str) -> dict[str, float]:
    """The shares accepted, in percent, by name; empty where no canaries were judged.

    They have gold answers of their own, so that a judge on corrected ones has no others.
    """
    with lens.open_read_only(lens_path) as connection:
        found = connection.execute(_SQL, [release, system, judge_alone(judge)]).fetchone()
    names = ("right", "wrong", "vague")
    return {
        f"canaries_{name}_accepted_percent": round(100 * share, 1)
        for name, share in zip(names, found or (), strict=False)
        if share is not None
    }
