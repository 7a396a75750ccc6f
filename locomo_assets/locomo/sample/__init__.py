"""A small data set that ships with the package: two invented conversations in LoCoMo's format.

Here: where the file stands. It was written for this project, so it may be shared freely; scores
on it say whether the machinery works, nothing about LoCoMo.
"""

from pathlib import Path


def packaged_sample() -> str:
    """The path of the packaged data set, as `reading.read_dataset` takes it."""
    return str(Path(__file__).with_name("locomo-sample.json"))
