"""Measures a memory service on LoCoMo, release by release.

Two sides: the domain rooms (`locomo`, `backboard`, `judging`, `measurement`, `history`,
`standin`, `reporting`) import no Dagster; `pipeline`, `definitions` and `cli` put them to work.
"""

from importlib.metadata import version

__version__ = version("locomo-assets")
