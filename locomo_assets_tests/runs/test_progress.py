"""Counts that grow, and hashes that depend on content alone."""

from locomo_assets.runs.context import Counts, Progress, fingerprint


def test_listeners_hear_every_change() -> None:
    heard: list[Counts] = []
    progress = Progress([heard.append])
    progress.add(turns=1)
    progress.add(turns=2, cost_usd=0.5)
    assert [counts.turns for counts in heard] == [1, 3]
    assert progress.counts == Counts(turns=3, cost_usd=0.5)


def test_fingerprint_is_of_the_content() -> None:
    assert fingerprint({"a": 1, "b": "ä"}) == fingerprint({"b": "ä", "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})
    assert fingerprint({"a": None}) != fingerprint({})
