"""`sql`: what it lists and describes, files of statements, and errors of one line."""

import io
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.cli import sql
from locomo_assets.cli.sql.output import EXAMPLES, Format, print_listing
from locomo_assets.errors import LocomoError
from locomo_assets.history import catalog, database
from locomo_assets.history.catalog import UnknownTableError
from locomo_assets.history.errors import HistoryQueryError
from locomo_assets.reporting.terminal.table import Screen
from locomo_assets.settings import SettingsError

APP = typer.Typer()
sql.register(APP)


@pytest.fixture(autouse=True)
def _home(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_HOME", str(measured))


def output(*arguments: str, given: str | bytes = "") -> str:
    done = CliRunner().invoke(APP, arguments, input=given)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments: str, given: str | bytes = "") -> LocomoError:
    error = CliRunner().invoke(APP, arguments, input=given).exception
    assert isinstance(error, LocomoError), error
    assert "\n" not in str(error)
    return error


def test_without_a_query_it_lists_what_is_for_people() -> None:
    lines = output().splitlines()
    assert lines[:2] == [
        "Accuracy",
        "  accuracy_by_release       Accuracy over scored questions, one row a series",
    ]
    assert (
        "  flips                     Questions whose verdict changed, release to release" in lines
    )
    assert not any(line.startswith(("  lens_meta", "  answers ")) for line in lines)
    hidden = sum(map(len, catalog.OTHERS.values()))
    assert f"{hidden} more tables hold what these are made from: --all lists them." in lines
    assert lines[-2:] == [f'locomo-assets sql "{query}"' for query in EXAMPLES]


def test_all_lists_every_table_and_view(measured: Path) -> None:
    _, rows = database.query(
        measured / "history" / "history.duckdb",
        "SELECT DISTINCT table_name FROM information_schema.tables",
    )
    listed = {line.split()[0] for line in output("--all").splitlines() if line.startswith("  ")}
    assert {name for (name,) in rows} <= listed
    assert "more tables" not in output("--all")


def test_a_listing_is_read_by_programs_too() -> None:
    records = json.loads(output("--format", "json"))
    assert records[0]["name"] == "accuracy_by_release"
    assert records[0]["comment"].startswith("Accuracy over scored questions, one row a series; cat")
    assert output("--format", "csv").splitlines()[0] == "group,name,kind,comment"
    every = json.loads(output("--format", "json", "--all"))
    assert len(every) == len(records) + sum(map(len, catalog.OTHERS.values()))


def test_on_a_terminal_of_80_columns_nothing_wraps(
    measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    screen = Screen(force_terminal=True, width=80, file=shown, no_color=True)
    monkeypatch.setattr("locomo_assets.cli.sql.output.console", lambda: screen)
    entries = catalog.entries(measured / "history" / "history.duckdb")
    print_listing(entries, Format.table, all_tables=True, in_prompt=True)
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    # A line for each, or two for a long name, and one for each group with an empty one after it.
    groups = len({entry.group for entry in entries})
    long = sum(len(entry.call) > 24 for entry in entries)
    assert len(lines) == len(entries) + long + 2 * groups + 1


@pytest.mark.parametrize("query", EXAMPLES)
def test_the_example_queries_find_something(query: str) -> None:
    assert json.loads(output(query, "--format", "json"))


def test_describe_shows_columns_types_and_comments() -> None:
    lines = output("--describe", "Accuracy_By_Release").splitlines()
    assert lines[0] == "accuracy_by_release (view, 2 rows)"
    assert lines[1].startswith("Accuracy over scored questions, one row a series; categories")
    accuracy = next(line for line in lines if line.startswith("accuracy "))
    assert accuracy.rstrip().split(maxsplit=2)[1:] == [
        "DOUBLE",
        "correct over scored, as a share; null where nothing is scored",
    ]
    records = json.loads(output("--describe", "flips", "--format", "json"))
    assert {"column": "release_a", "type": "VARCHAR", "comment": "The earlier release"} in records


def test_describe_knows_what_is_not_listed_and_functions() -> None:
    assert output("--describe", "lens_meta").startswith("lens_meta (table, 1 row)")
    assert output("--describe", "flip_details").splitlines()[0] == (
        "flip_details(release_a, release_b) (function)"
    )


def test_describe_suggests_the_nearest_name() -> None:
    error = refused("--describe", "acuracy_by_relase")
    assert isinstance(error, UnknownTableError)
    assert error.exit_code == 2
    assert "did you mean accuracy_by_release?" in str(error)
    assert "did you mean" not in str(refused("--describe", "zzz"))


def test_a_file_is_read_statement_by_statement(tmp_path: Path) -> None:
    path = tmp_path / "queries.sql"
    path.write_text("-- one; two\nSELECT 1 AS a;\n\nSELECT ';' AS b -- more\n;\n", "utf-8")
    assert output("--file", str(path)) == "a\n1\n\nb\n;\n"
    assert output("--file", str(path), "--format", "csv") == "a\n1\n\nb\n;\n"
    assert (
        output(
            "--file",
            "-",
            given="SELECT 1 AS a; SELECT 2 AS a",
        )
        == "a\n1\n\na\n2\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT 1;\n\nSELCT 2", 'line 3: Parser Error: syntax error at or near "SELCT"'),
        ("-- first\nSELECT 1;\nSELECT release,\n  nope\nFROM answers",
         'line 4: Binder Error: Referenced column "nope" not found in FROM clause! Candidate'),
        ("SELECT 1;\nSELECT 1;\nDELETE FROM answers", "line 3: the history is only read"),
        ("\n\nFROM acuracy_trend", "line 3: Catalog Error: Table with name acuracy_trend does not"),
        ("SELECT 1;\nSELECT INTERVAL '2000000000 days'", "line 2: a value can't be shown"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_and_the_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "queries.sql"
    path.write_text(text)
    assert str(refused("--file", str(path))).startswith(f"{path}, {says}")


def test_nothing_is_run_of_a_file_that_would_write(tmp_path: Path) -> None:
    path = tmp_path / "queries.sql"
    path.write_text("SELECT 1; DROP TABLE answers")
    assert CliRunner().invoke(APP, ["--file", str(path)]).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (("SELECT 1", "--file", "-"), "", "a query and --file can't be given together"),
        (("--describe", "flips", "-i"), "", "--describe and -i can't be given together"),
        (("-i",), "SELECT 1;", "-i needs a terminal; `--file -` reads statements from a pipe"),
        (("--file", "nowhere.sql"), "", "--file nowhere.sql: No such file or directory"),
        (("--file", "-"), "-- nothing\n", "standard input holds no statement"),
        (("--file", "-"), b"SELECT '\xff'", "--file: standard input is not text in UTF-8"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    arguments: tuple[str, ...], given: str | bytes, says: str
) -> None:
    error = refused(*arguments, given=given)
    assert isinstance(error, SettingsError)
    assert str(error) == says


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("FROM acuracy_by_release", "does not exist! Did you mean accuracy_by_release? `locomo-"),
        ("FROM no_such", "no_such does not exist! `locomo-assets sql` lists the tables"),
        ("SELECT acuracy FROM accuracy_trend", 'Candidate bindings: "accuracy", '),
        ("SELECT wilson_lo(1, 2)", 'does not exist! Did you mean "wilson_low"?'),
        ("", "there is no statement; `locomo-assets sql` without one lists the tables"),
        ("SELECT 1; SELECT 2", "one statement at a time, not 2; `locomo-assets sql --file -` "),
    ],
)
def test_duckdbs_errors_are_a_line_that_helps(query: str, says: str) -> None:
    error = refused(query)
    assert isinstance(error, HistoryQueryError)
    assert says in str(error)
    assert "LINE" not in str(error)
    assert "^" not in str(error)
