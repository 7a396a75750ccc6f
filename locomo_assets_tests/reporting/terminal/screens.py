"""A terminal of a given width to print on, and what stands on it afterwards."""

import io

from locomo_assets.reporting.terminal.table import Screen

WIDTHS = (60, 80, 100, 170)


def terminal(width: int, *, wide: bool = False) -> Screen:
    return Screen(
        file=io.StringIO(), width=width, wide=wide, force_terminal=True, color_system=None
    )


def pipe(width: int = 200) -> Screen:
    return Screen(file=io.StringIO(), width=width, force_terminal=False)


def lines_of(screen: Screen) -> list[str]:
    """The lines, without the spaces at their ends."""
    assert isinstance(screen.file, io.StringIO)
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


def text_of(screen: Screen) -> str:
    return "\n".join(lines_of(screen)).strip("\n")
