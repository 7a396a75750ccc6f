"""Texts as Markdown: whatever they hold, it is shown and never obeyed.

Labels, questions and answers are others' words: none may become a table's cell, a link, a formula
or HTML. Everything that writes Markdown takes them from here.
"""

import re
from collections.abc import Iterable, Sequence

# An underscore within a word is no emphasis, and stays readable where the text is not drawn.
_SIGNS = re.compile(r"[\\`*\[\]<>|~#&$]|(?<!\w)_|_(?!\w)")


def escaped(text: str) -> str:
    """The text as one line of Markdown that shows it as it is."""
    return _SIGNS.sub(r"\\\g<0>", " ".join(text.split()))


def code_span(text: str) -> str:
    """The text as code, on one line, whatever backticks it holds."""
    line = " ".join(text.split())
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def table_row(cells: Iterable[str]) -> str:
    """A table's row of cells that are Markdown already."""
    return "| " + " | ".join(cells) + " |"


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of texts under headings."""
    lines = [table_row(map(escaped, headings)), "|" + " --- |" * len(headings)]
    return "\n".join([*lines, *(table_row(map(escaped, cells)) for cells in rows)])
