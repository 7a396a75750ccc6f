"""The history's speed: commits, writers side by side, and the trend queries as it grows.

Here: the store and the database over `synthetic` histories of several sizes, each size the last one
and more. Queries: median of seven, warm; beside them the same question to one bare DuckDB table,
in a file of its own, that holds just the columns which the queries read.
"""

import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path

import duckdb

from bench.figures import Figure
from bench.generated import Template
from bench.synthetic import commit_conversation, commit_dataset, commit_run
from locomo_assets.file_urls import path_of
from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore

GOAL_MS, GOAL_BARE = 100.0, 2.0
WRITERS = 10

_SQL = {path.stem: path.read_text() for path in Path(__file__).with_name("sql").glob("*.sql")}
QUERIES = {
    "accuracy by release × category": (
        "SELECT release, category, accuracy FROM accuracy_by_category"
    ),
    "accuracy trend": "SELECT * FROM accuracy_trend WHERE category IS NULL",
    "flips of two releases": "SELECT * FROM flips('r0', 'r1')",
    "cost by month": "SELECT * FROM cost_by_month",
    "scores by release": "SELECT * FROM scores_by_release",
    "group-by on all current verdicts": _SQL["cells"],
}
"""What people ask for most. The first four have a bare form to be compared with."""

_BARE = {
    "accuracy by release × category": _SQL["cells"],
    "accuracy trend": _SQL["bare_trend"],
    "flips of two releases": QUERIES["flips of two releases"],
    "cost by month": _SQL["bare_cost_by_month"],
    "group-by on all current verdicts": QUERIES["group-by on all current verdicts"],
}
_TABLES = {name: _SQL[f"bare_{name}"] for name in ("current_judgements", "calls")}
_FLIPS = files("locomo_assets.history").joinpath("sql", "views", "flips.sql").read_text("utf-8")


def growing(sizes: Sequence[int]) -> list[Figure]:
    """Everything at each number of runs, smallest first, and how it grew."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        store = HistoryStore.open((Path(folder) / "history").as_uri())
        commit_dataset(store, rng)
        commit_run(store, rng, "r0")
        template = Template(store, "r0")
        figures, runs = [], 1
        for size in sizes:
            while runs < size:
                # After the data set: one that comes late has all answers scored again.
                at = datetime.now(UTC) + timedelta(seconds=40 * runs)
                template.write(store.storage.put, f"r{runs}", at)
                runs += 1
            figures += _at(store, rng, Path(folder) / "history.duckdb", size)
            runs += 2  # those that `_at` refreshes by
    return figures + _grew(figures, sizes)


def _at(store: HistoryStore, rng: random.Random, path: Path, size: int) -> list[Figure]:
    name = f"{size} runs"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        made_s, peak_mib = pool.submit(_rebuilt, store.storage.url, path).result()
    bare_s = _loaded_bare(store, path.with_name("bare.duckdb"))
    refreshed_s = []
    for more in range(2):  # the first one copies the file, later ones work in the one before
        commit_run(store, rng, f"r{size + more}")
        refreshed_s.append(database.refresh(store, path, recent_only=True).duration_s)
    size_mib = path.stat().st_size / 2**20
    figures = [
        Figure(f"{name}/database from nothing", made_s, "s", f"{size_mib:,.0f} MiB"),
        Figure(
            f"{name}/bare DuckDB reading the same files",
            bare_s,
            "s",
            f"no hash, nothing derived; ratio {made_s / bare_s:.2f}",
        ),
        Figure(f"{name}/peak memory of that", peak_mib, "MiB"),
        Figure(f"{name}/database after one more run, the first", refreshed_s[0], "s"),
        Figure(f"{name}/database after one more run", refreshed_s[1], "s"),
    ]
    with database.open_read_only(path) as connection, _bare_of(connection, path) as bare:
        for query, sql in QUERIES.items():
            ours_ms = _median_ms(connection, sql)
            note = f"goal < {GOAL_MS:g} ms"
            if query in _BARE:
                bare_ms = _median_ms(bare, _BARE[query])
                note += f"; bare table {bare_ms:.1f} ms, ratio {ours_ms / bare_ms:.2f}"
            figures.append(Figure(f"{name}/{query}", ours_ms, "ms", note))
    return figures


def _rebuilt(url: str, path: Path) -> tuple[float, float]:
    """Seconds, and the peak memory of a process that does nothing else."""
    made_s = database.rebuild(HistoryStore.open(url), path).duration_s
    return made_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _loaded_bare(store: HistoryStore, path: Path) -> float:
    """Seconds in which DuckDB alone makes tables of all data files: what a database can't beat."""
    folder = path_of(store.storage.url)
    files: dict[str, list[str]] = {}
    for manifest in store.manifests():
        for file in manifest.data_files:
            files.setdefault(file.table, []).append(f"{folder}/{file.path}")
    started = time.monotonic()
    with duckdb.connect(path) as bare:
        for table, its in files.items():
            bare.execute(f"CREATE TABLE {table} AS FROM read_parquet($1)", [its])
    took_s = time.monotonic() - started
    path.unlink()
    return took_s


@contextmanager
def _bare_of(
    connection: duckdb.DuckDBPyConnection, database_path: Path
) -> Iterator[duckdb.DuckDBPyConnection]:
    path = database_path.with_name("bare.duckdb")
    with duckdb.connect(path) as bare:
        for table, sql in _TABLES.items():
            bare.register("rows_of_database", connection.sql(sql).to_arrow_table())
            bare.execute(f"CREATE TABLE {table} AS FROM rows_of_database")
            bare.unregister("rows_of_database")
        bare.execute(_FLIPS.partition(";")[0])
    with duckdb.connect(path, read_only=True) as bare:
        yield bare
    path.unlink()


def _grew(figures: Sequence[Figure], sizes: Sequence[int]) -> list[Figure]:
    """From the smallest to the largest size, each time's growth over the data's."""
    value = {one.name: one.value for one in figures}
    least, most = min(sizes), max(sizes)
    topics = ["database from nothing", "database after one more run", *QUERIES]
    return [
        Figure(
            f"growth/{topic}",
            value[f"{most} runs/{topic}"] / value[f"{least} runs/{topic}"] / (most / least),
            "",
            f"{least} to {most} runs; 1 grows as the data does",
        )
        for topic in topics
    ]


def committing() -> list[Figure]:
    """A conversation's three attempts: one writer, and ten processes at once."""
    rng = random.Random(2)
    with tempfile.TemporaryDirectory() as folder:
        url = (Path(folder) / "history").as_uri()
        store = HistoryStore.open(url)
        times = []
        for number in range(11):
            start = time.perf_counter()
            commit_conversation(store, rng, "r1", f"alone-{number}")
            times.append(time.perf_counter() - start)
        alone_s = statistics.median(times[1:])
        with ProcessPoolExecutor(WRITERS, mp_context=get_context("spawn")) as pool:
            list(pool.map(_warm, [url] * WRITERS, range(WRITERS), chunksize=1))
            start = time.perf_counter()
            list(pool.map(_write, [url] * WRITERS * 5, range(WRITERS * 5), chunksize=5))
            together_s = (time.perf_counter() - start) / (WRITERS * 5)
        committed = len(store.manifests(asset="judgements", release="together"))
        if committed != WRITERS * 5:
            raise AssertionError(f"{committed} of {WRITERS * 5} commits are there")
    return [
        Figure("commit/one writer", 1000 * alone_s, "ms", "154 answers, verdicts, 1,540 memories"),
        Figure("commit/ten writers", 1000 * together_s, "ms", "wall time a commit"),
        Figure(
            "commit/ten ÷ one",
            together_s / alone_s,
            "",
            "below 1: writers don't wait for each other",
        ),
    ]


def _warm(url: str, number: int) -> None:
    """A process's first commit loads what the others need; the pause gives each process one."""
    _write(url, number, "warm")
    time.sleep(0.5)


def _write(url: str, number: int, release: str = "together") -> None:
    store = HistoryStore.open(url)
    commit_conversation(store, random.Random(number), release, f"writer-{number}")


def _median_ms(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    times = []
    for _ in range(8):
        start = time.perf_counter()
        connection.execute(sql).fetchall()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])
