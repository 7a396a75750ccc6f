"""Packages that are installed for another part, and that a library would load for nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


class _Hiding(MetaPathFinder):
    def __init__(self, packages: tuple[str, ...]) -> None:
        self._packages = packages

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name in self._packages:
            raise ModuleNotFoundError(f"{name} is hidden", name=name)


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """While the block lasts, these can't be imported, unless they were before.

    For a library that does without them. No other thread may import them meanwhile.
    """
    hiding = _Hiding(packages)
    sys.meta_path.insert(0, hiding)
    try:
        yield
    finally:
        sys.meta_path.remove(hiding)
