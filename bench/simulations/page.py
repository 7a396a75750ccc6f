"""The tables of the docs: made as Markdown, written between their marks in their page."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "statistics.md"
_OTHER_PAGES = {"diagnosis": DOCS / "diagnosis.md"}

Table = Callable[[], str]
"""Runs a simulation and gives its table as Markdown."""


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def page_of(name: str) -> Path:
    """The page that a simulation's table stands in."""
    return _OTHER_PAGES.get(name, PAGE)


def write(tables: Mapping[str, str], page: Path = PAGE) -> None:
    """Puts each table between `<!-- simulation NAME -->` and `<!-- end -->`.

    Raises:
        ValueError: the page has no such place.
    """
    text = page.read_text()
    for name, table in tables.items():
        place = re.compile(rf"(<!-- simulation {re.escape(name)} -->\n).*?(<!-- end -->)", re.S)
        found = place.search(text)
        if not found:
            raise ValueError(f"{page}: no place for the simulation {name}")
        text = f"{text[: found.end(1)]}{table}\n{text[found.start(2) :]}"
    page.write_text(text)
