"""Measures a memory service on LoCoMo, release by release.

The domain rooms know no Dagster; `pipeline`, `definitions` and `cli` put them to work.
"""

from importlib.metadata import version

__version__ = version("locomo-assets")
