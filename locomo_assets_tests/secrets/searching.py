"""Finding planted keys in whatever a run wrote, also where it is compressed or packed.

Here: the search. Any dozen characters of a key in a row count, because half a key is a leak too.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

BACKBOARD_KEY = "bbk_Zq7RkX2mVt9LwPc4HsYd8NfGj3TaUe6B"
OPENAI_KEY = "sk-proj-Wc5JvM1xQe8KzTn4RyLh7DsBg2PfUa9E"
PLANTED = (BACKBOARD_KEY, OPENAI_KEY)
_FRAGMENT = 12


def fragments(keys: Sequence[str] = PLANTED) -> set[bytes]:
    """Every dozen characters in a row of the keys."""
    return {
        key[start : start + _FRAGMENT].encode()
        for key in keys
        for start in range(len(key) - _FRAGMENT + 1)
    }


def holds_a_key(content: str | bytes) -> bool:
    """Whether any fragment of a planted key stands in it."""
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return any(fragment in raw for fragment in fragments())


def files_with_a_key(folder: Path) -> list[str]:
    """The files under a folder that hold a planted key, in their bytes, names or values."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if holds_a_key(str(path.relative_to(folder)))
        or (path.is_file() and any(map(holds_a_key, _contents(path))))
    ]


def _contents(path: Path) -> Iterator[str | bytes]:
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield json.dumps(table.to_pylist(), default=str)
        yield repr(table.schema.metadata)
    elif path.suffix == ".duckdb":
        with duckdb.connect(path, read_only=True) as connection:
            tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            for (name,) in tables:
                yield repr(connection.execute(f'FROM "{name}"').fetchall())
    elif raw.startswith(b"SQLite format 3\x00"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            # A long text lies on several pages, with page numbers in between.
            yield from connection.iterdump()
