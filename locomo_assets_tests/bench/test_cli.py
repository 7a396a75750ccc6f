"""Commands take little more than what they are made of; ratios alone, with wide margins."""

import sys

from bench.cli import of_commands, processor_s


def test_commands_take_a_few_times_what_their_libraries_take() -> None:
    typer_s, typer_and_duckdb_s = (
        processor_s([sys.executable, "-c", f"import {names}"], {}, times=3)
        for names in ("typer", "typer, duckdb")
    )
    few, many = (
        {one.name: one.value for one in of_commands(releases, times=2)} for releases in (3, 9)
    )
    assert few["cli/--version"] < 4 * typer_s
    assert few["cli/--help"] < 6 * typer_s
    assert few["cli/Tab for a command"] < 6 * typer_s
    assert few["cli/Tab for a release"] < 4 * typer_and_duckdb_s
    assert few['cli/sql "SELECT 1"'] < 8 * typer_and_duckdb_s
    assert many["cli/report"] < 2 * few["cli/report"]
    assert many["cli/compare r1 r2"] < 1.5 * few["cli/compare r1 r2"]
