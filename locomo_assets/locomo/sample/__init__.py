"""The packaged sample: two invented conversations in LoCoMo's format.

It was written for this project, so it may be shared freely. Scores on it show whether the pipeline
works; they say nothing about LoCoMo.
"""

from pathlib import Path


def packaged_sample() -> str:
    """The path of the packaged data set, for `read_dataset`."""
    return str(Path(__file__).with_name("locomo-sample.json"))
