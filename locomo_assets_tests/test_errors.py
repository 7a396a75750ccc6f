"""The exit codes: the table that people read names those that commands end with, and no others."""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module

import locomo_assets
from locomo_assets import errors
from locomo_assets.errors import EXIT_CODES, LocomoError
from locomo_assets_tests.conftest import REPOSITORY


def all_errors(of: type[LocomoError]) -> Iterator[type[LocomoError]]:
    yield of
    for one in of.__subclasses__():
        yield from all_errors(one)


def test_every_exit_code_is_in_the_table_and_every_one_there_is_used() -> None:
    for module in pkgutil.walk_packages(locomo_assets.__path__, "locomo_assets."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    of_errors = {one.exit_code for one in all_errors(LocomoError)}
    others = {errors.DONE, errors.UNFORESEEN, errors.STOPPED, errors.UNREAD}
    assert set(EXIT_CODES) == of_errors | others
    table = (REPOSITORY / "docs" / "commands.md").read_text().partition("## Exit codes")[2]
    documented = re.findall(r"^\| (\d+) \|", table.partition("\n## ")[0], re.MULTILINE)
    assert [int(code) for code in documented] == sorted(EXIT_CODES)
