"""Releases that are not known: the nearest, or all that there are."""

import pytest

from locomo_assets.near_names import unknown_release


@pytest.mark.parametrize(
    ("release", "known", "hint"),
    [
        ("r11", ["r2", "r1"], "did you mean r1?"),
        ("2026-11-32", ["2026-11-23", "2025-01-01"], "did you mean 2026-11-23?"),
        ("Vendor", ["vendor", "r1"], "did you mean vendor?"),
        ("zzz", ["r2", "r1", "r2"], "choose one of: r2, r1"),
        ("zzz", [f"r{n}" for n in range(23)], "r18, r19 and 3 older"),
        ("r1", [], "none is there yet"),
    ],
)
def test_the_nearest_or_all(release: str, known: list[str], hint: str) -> None:
    line = unknown_release(release, known)
    assert line.startswith(f"release {release}: no verdicts in the history; ")
    assert line.endswith(hint)
