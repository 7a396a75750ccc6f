"""`make bench` in small: it fails on a broken ratio, never on an absolute time.

The margins are wide, because the machine may be busy with other things: a ratio is out of its
margin where something became slower several times over.
"""

from pathlib import Path

from bench import history, object_store, overhead, requests, whole
from bench.figures import Figure
from locomo_assets.standin.settings import StandinSettings

SAMPLE = (
    Path(whole.__file__).parents[1] / "locomo_assets" / "locomo" / "sample" / "locomo-sample.json"
)
QUICK = StandinSettings(
    message_latency_ms=30.0,
    memory_delay_ms=60.0,
    first_chunk_latency_ms=120.0,
    verdict_latency_ms=60.0,
)


def values(figures: list[Figure]) -> dict[str, float]:
    return {one.name: one.value for one in figures}


def test_side_by_side_we_are_faster_than_the_reference() -> None:
    figures = values(whole.side_by_side(SAMPLE, share=0.2, copies=2, latencies=QUICK))
    assert figures["whole/ratio without start and report"] > 2.0
    assert figures["whole/turn to turn"] < 3 * QUICK.memory_delay_ms
    assert figures["whole/looks a turn"] < 5.0


def test_definitions_load_in_less_than_a_few_times_dagster() -> None:
    figures = values(overhead.loading())
    assert figures["start/definitions beyond it"] < 3 * figures["start/import dagster"]


def test_queries_grow_no_faster_than_the_history() -> None:
    figures = values(history.growing((4, 16)))
    too_steep = {
        name: value for name, value in figures.items() if name.startswith("growth/") and value > 2.0
    }
    assert too_steep == {}


def test_writers_side_by_side_do_not_wait_for_each_other() -> None:
    figures = values(history.committing())
    assert figures["commit/ten ÷ one"] < 2.0


def test_a_run_asks_an_object_store_no_more_in_a_long_history() -> None:
    figures = values(object_store.growing((3, 30)))
    for step in ("commit", "refresh", "look-up of verdicts"):
        assert figures[f"30 runs/{step}: requests"] == figures[f"3 runs/{step}: requests"]
    assert figures["30 runs/refresh: requests"] < 40


def test_a_request_costs_about_what_a_bare_client_takes() -> None:
    figures = values(requests.compared(SAMPLE, share=0.5, latencies=QUICK))
    assert figures["requests/ours ÷ bare httpx, a client for each request under way"] < 3.0
