"""`make dev` as a person sees it: the graph, the partition grid, a backfill that is launched."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.browser.serving import (
    CHROMIUM,
    GRAPH,
    REPOSITORY,
    chromium_page,
    dagster_ui,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.waits,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
]

SLOW_MS = 60_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("ui")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCOMO_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(prepare_home(home)))
        launch(Launch(release="r1", questions=3), Services(read_settings()))
        with dagster_ui(home) as address:
            yield address


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium_page() as opened:
        yield opened


def test_graph_shows_every_asset(url: str, page: Page) -> None:
    page.goto(f"{url}{GRAPH}")
    for name in ("locomo_dataset", "ingested_memories", "answers", "judgements", "accuracy_metrics",
                 "accuracy_trends"):  # fmt: skip
        expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=SLOW_MS)


def test_partition_grid_shows_what_was_measured(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/judgements?view=partitions")
    for text in ("sample-1", "sample-2", "r1"):
        expect(page.get_by_text(text, exact=True).first).to_be_visible(timeout=SLOW_MS)


def test_metrics_begin_with_the_summary_and_the_tables(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/accuracy_metrics")
    for text in ("Accuracy of r1: ", "/reports/r1.html", "95 % interval"):
        expect(page.get_by_text(text).first).to_be_visible(timeout=SLOW_MS)
    keys = page.locator("tbody tr td:first-child").all_inner_texts()
    assert keys[0].strip() == "summary"
    page.get_by_role("button", name="Plots").click()
    plots = page.get_by_text(re.compile("accuracy$|_percent$"))
    expect(plots.first).to_have_text("% accuracy", timeout=SLOW_MS)


def test_columns_are_described(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/answers")
    described = page.get_by_text("answered, or unanswered: the system failed or said nothing")
    expect(described).to_be_visible(timeout=SLOW_MS)


def test_checks_show_expected_and_found_by_partition(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/ingested_memories?view=checks&checkDetail=ingestion_complete")
    for text in ("messages_on_server", "expected", "actual"):
        expect(page.get_by_text(text, exact=True).first).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("tab", name="Partitions").last.click()
    for counted in ("Passed (2)", "Missing (0)", "Failed (0)"):
        box = page.get_by_role("checkbox", name=counted, exact=True)
        expect(box.first).to_be_attached(timeout=SLOW_MS)


def test_backfill_launched_by_hand_is_measured_and_followed(url: str, page: Page) -> None:
    """The way that docs/backfills.md describes, click by click."""
    page.goto(url)
    page.get_by_role("link", name="Jobs").click(timeout=SLOW_MS)
    page.get_by_role("link", name="release_measurement").first.click(timeout=SLOW_MS)
    page.get_by_role("button", name="Materialize all").click(timeout=SLOW_MS)
    dialog = page.get_by_role("dialog")
    choose = dialog.get_by_text("Select a partition or create one")
    every = dialog.get_by_role("button", name="All", exact=True)
    expect(choose).to_have_count(2, timeout=SLOW_MS)
    dialog.get_by_text("Add a partition").nth(1).click()
    page.get_by_placeholder("name").fill("r2")
    page.get_by_role("button", name="Save").click()
    until = time.monotonic() + SLOW_MS / 1000
    while choose.count() > 1 and time.monotonic() < until:  # where they were not loaded yet
        every.first.click()
        page.wait_for_timeout(500)
    choose.click()
    page.get_by_role("menuitem").filter(has_text="r2").click(timeout=SLOW_MS)
    dialog.get_by_text("Launch runs to materialize 3 assets").click(force=True)
    dialog.get_by_text("Config", exact=True).click()
    dialog.get_by_role("button", name="Add config").click()
    editor = page.get_by_role("dialog").last
    editor.locator(".CodeMirror-code").click(timeout=SLOW_MS)
    page.keyboard.insert_text(_documented_options())
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    described = editor.get_by_text("Ask only the first so many questions of each conversation")
    expect(described).to_be_visible(timeout=SLOW_MS)
    editor.get_by_role("button", name="Save config").click(timeout=SLOW_MS)
    dialog.get_by_role("button", name="Launch backfill").click(timeout=SLOW_MS)
    assert _verdicts_materialized(url) == {
        "sample-1|r1",
        "sample-2|r1",
        "sample-1|r2",
        "sample-2|r2",
    }
    assert "r2" in _metrics_materialized(url)


def _documented_options() -> str:
    """The launch options of the docs, as a person copies them."""
    text = (REPOSITORY / "docs" / "backfills.md").read_text()
    return text.partition("```yaml\n")[2].partition("```")[0]


def _verdicts_materialized(url: str) -> set[str]:
    """The grid's materialized partitions, once the daemon has worked the backfill off."""
    query = {
        "query": '{ assetNodes(assetKeys: [{path: ["judgements"]}]) {'
        " assetPartitionStatuses { ... on MultiPartitionStatuses { ranges {"
        " primaryDimStartKey primaryDimEndKey secondaryDim {"
        " ... on DefaultPartitionStatuses { materializedPartitions } } } } } } }"
    }
    found: set[str] = set()
    until = time.monotonic() + 180
    while time.monotonic() < until:
        nodes = httpx.post(f"{url}/graphql", json=query, timeout=30).json()["data"]["assetNodes"]
        found = {
            f"{conversation}|{release}"
            for each in nodes[0]["assetPartitionStatuses"]["ranges"]
            for conversation in {each["primaryDimStartKey"], each["primaryDimEndKey"]}
            for release in each["secondaryDim"]["materializedPartitions"]
        }
        if len(found) == 4:
            break
        time.sleep(0.2)
    return found


def _metrics_materialized(url: str) -> list[str]:
    """Releases with metrics, once the automation has made those of r2."""
    query = {
        "query": '{ assetNodes(assetKeys: [{path: ["accuracy_metrics"]}]) {'
        " assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } }"
    }
    until = time.monotonic() + 180
    found: list[str] = []
    while "r2" not in found and time.monotonic() < until:
        nodes = httpx.post(f"{url}/graphql", json=query, timeout=30).json()["data"]["assetNodes"]
        found = nodes[0]["assetPartitionStatuses"]["materializedPartitions"]
        time.sleep(0.2)
    return found


def test_trend_shows_a_chart(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/accuracy_trends")
    page.get_by_text("[Show Markdown]").first.click(timeout=SLOW_MS)
    chart = page.locator("img[alt='accuracy over releases']").first
    expect(chart).to_be_visible(timeout=SLOW_MS)
    assert chart.evaluate("image => image.naturalWidth") > 300
