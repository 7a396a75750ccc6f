"""Measures a memory service on LoCoMo, release by release.

The domain rooms know no Dagster; `pipeline`, `definitions` and `cli` put them to work. For
notebooks: `open_history`, see `api`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locomo_assets.api import History, open_history

    __version__: str

__all__ = ["History", "__version__", "open_history"]


def __getattr__(name: str) -> Any:
    # Every module imports this one: it must load neither the API, and with it half of the package,
    # nor what reads the version, which commands take a twentieth of a second for.
    if name == "__version__":
        from importlib.metadata import version

        return version("locomo-assets")
    if name in ("History", "open_history"):
        from locomo_assets import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
