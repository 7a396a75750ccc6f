"""`make dev` as a person sees it: the graph, the partition grid, a backfill that is launched."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.browser.serving import CHROMIUM, GRAPH, chromium_page, dagster_ui

pytestmark = [
    pytest.mark.browser,
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


def test_metrics_show_the_accuracy(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/accuracy_metrics?view=partitions&partition=r1")
    expect(page.get_by_text("accuracy_percent").first).to_be_visible(timeout=SLOW_MS)


def test_checks_show_expected_and_found_by_partition(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/ingested_memories?view=checks&checkDetail=ingestion_complete")
    for text in ("messages_on_server", "expected", "actual"):
        expect(page.get_by_text(text, exact=True).first).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("tab", name="Partitions").last.click()
    for counted in ("Passed (2)", "Missing (0)", "Failed (0)"):
        box = page.get_by_role("checkbox", name=counted, exact=True)
        expect(box.first).to_be_attached(timeout=SLOW_MS)


def test_backfill_launched_by_hand_is_measured_and_followed(url: str, page: Page) -> None:
    add = {
        "query": "mutation ($name: String!, $key: String!, $where: RepositorySelector!) {"
        " addDynamicPartition(partitionsDefName: $name, partitionKey: $key,"
        " repositorySelector: $where) { __typename } }",
        "variables": {
            "name": "release",
            "key": "r2",
            "where": {
                "repositoryName": "__repository__",
                "repositoryLocationName": "locomo_assets",
            },
        },
    }
    answer = httpx.post(f"{url}/graphql", json=add).json()
    assert answer["data"]["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess"
    page.goto(f"{url}/locations/locomo_assets/asset-groups/measurement/lineage")
    page.get_by_role("button", name=re.compile("Materialize", re.IGNORECASE)).first.click(
        timeout=SLOW_MS
    )
    dialog = page.get_by_role("dialog")
    launch_button = dialog.get_by_role("button", name=re.compile("Launch backfill"))
    _choose_all(dialog, launch_button)
    launch_button.click(timeout=SLOW_MS)
    assert _verdicts_materialized(url) == {
        "sample-1|r1",
        "sample-2|r1",
        "sample-1|r2",
        "sample-2|r2",
    }


def _choose_all(dialog: Locator, launch_button: Locator) -> None:
    """Chooses all of both dimensions, again where they had not been loaded at the first click."""
    until = time.monotonic() + SLOW_MS / 1000
    while time.monotonic() < until:
        for dimension in (0, 1):
            every = dialog.get_by_role("button", name="All", exact=True).nth(dimension)
            every.click(timeout=SLOW_MS)
        try:
            expect(launch_button).to_be_enabled(timeout=3000)
        except AssertionError:
            continue
        return


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
        time.sleep(2)
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
        time.sleep(2)
    return found


def test_trend_shows_a_chart(url: str, page: Page) -> None:
    page.goto(f"{url}/assets/accuracy_trends")
    page.get_by_text("[Show Markdown]").first.click(timeout=SLOW_MS)
    chart = page.locator("img[alt='accuracy over releases']").first
    expect(chart).to_be_visible(timeout=SLOW_MS)
    assert chart.evaluate("image => image.naturalWidth") > 300
