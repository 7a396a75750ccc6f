"""SQL statements on the database: taken apart, only read, and what is wrong with one in a line."""

import re
import signal
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import duckdb

from locomo_assets.history.errors import HistoryQueryError
from locomo_assets.near_names import nearest

_READ_ONLY = (
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.PRAGMA,
    duckdb.StatementType.CALL,
)


def literal(text: str) -> str:
    """The text as SQL writes it, whatever quotes it holds."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text in SQL. `source`: the text's name in errors; `line`: from 1 in it.

    `line` is None where the text has only one.
    """

    sql: str
    source: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Rows:
    """What a statement gives."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def split(
    connection: duckdb.DuckDBPyConnection, text: str, source: str = "SQL"
) -> Sequence[Statement]:
    """The statements of a text; HistoryQueryError if one is none, or would do more than read."""
    has_lines = source != "SQL" or "\n" in text.strip()
    try:
        found = connection.extract_statements(text)
    except duckdb.Error as error:
        raise HistoryQueryError(_said(error, source, 1 if has_lines else None)) from error
    statements, end = [], 0
    for one in found:
        # Comments before the first statement belong to none.
        begin = max(text.find(one.query, end), end)
        end = begin + len(one.query)
        line = text.count("\n", 0, begin) + 1 if has_lines else None
        if one.type not in _READ_ONLY:
            raise HistoryQueryError(
                f"{_place(source, line)}: the history is only read, and this is {one.type.name}; "
                "use SELECT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN"
            )
        statements.append(Statement(one.query, source, line))
    return statements


def run(connection: duckdb.DuckDBPyConnection, statement: Statement) -> Rows:
    """The rows of a statement; HistoryQueryError says in a line why there are none."""

    def rows() -> Rows:
        result = connection.execute(statement.sql)
        return Rows([column[0] for column in result.description or ()], result.fetchall())

    try:
        return _until_ctrl_c(connection, rows)
    except duckdb.Error as error:
        known = table_names(connection)
        said = _said(error, statement.source, statement.line, known)
        raise HistoryQueryError(said) from error
    except OverflowError as error:
        # DuckDB's intervals are longer than Python's.
        raise HistoryQueryError(
            f"{_place(statement.source, statement.line)}: a value can't be shown ({error}); "
            "cast its column to VARCHAR"
        ) from error


def _until_ctrl_c(connection: duckdb.DuckDBPyConnection, rows: Callable[[], Rows]) -> Rows:
    """Runs a query that Ctrl-C stops at once; KeyboardInterrupt then.

    In the main thread DuckDB would notice it only when an operator has ended.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        return rows()
    stopped = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(rows)
            while not wait([running], timeout=_LOOKS_EVERY_S).done:
                if stopped.is_set():
                    # Again and again: a query that is about to begin does not notice it.
                    connection.interrupt()
    finally:
        signal.signal(signal.SIGINT, handler)
    if stopped.is_set():
        handler(signal.SIGINT, None)
        raise KeyboardInterrupt
    return running.result()


_LOOKS_EVERY_S = 0.05


def explained(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> str:
    """DuckDB's error in a line for people."""
    return _said(error, "SQL", None, table_names(connection))


def table_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """All tables and views of the database."""
    found = connection.execute(
        "SELECT DISTINCT table_name FROM duckdb_columns() "
        "WHERE database_name = current_database() AND NOT internal ORDER BY ALL"
    )
    return [name for (name,) in found.fetchall()]


_MISSING_TABLE = re.compile(
    r"(Catalog Error: Table with name (?P<name>.+?) does not exist!)"
    r"(?:\s*Did you mean \"(?P<near>.+?)\"\?)?"
)


def _said(
    error: duckdb.Error, source: str, first_line: int | None, known: Collection[str] = ()
) -> str:
    """DuckDB's words, without the line of SQL and the mark beneath it: an error is one line."""
    text, *at = re.split(r"\n\s*LINE (\d+): ", str(error), maxsplit=1)
    said = " ".join(text.split())
    if missing := _MISSING_TABLE.match(said):
        # DuckDB also suggests tables of its own.
        near = missing["near"] if missing["near"] in known else nearest(missing["name"], known)
        meant = f" Did you mean {near}?" if near else ""
        said = f"{missing[1]}{meant} `locomo-assets sql` lists the tables"
    line = None if first_line is None else first_line + (int(at[0]) - 1 if at else 0)
    return f"{_place(source, line)}: {said}"


def _place(source: str, line: int | None) -> str:
    return source if line is None else f"{source}, line {line}"
