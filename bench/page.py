"""The report's page on two releases: how large it is, how long it takes to write and to open.

Here: both releases are measured with a stand-in that never waits; the second one loses memories.
"""

import statistics
import tempfile
import time
from pathlib import Path

from bench.figures import Figure
from bench.ours import run
from bench.serving import served
from bench.work import cut
from locomo_assets.reporting.html import write_page
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.browser.serving import CHROMIUM, chromium_page

GOAL_MB, GOAL_OPEN_MS = 5.0, 1000.0
_LOST_SHARE = 0.06
_OPENED_MS = "performance.getEntriesByName('opened')[0].startTime"


def of_two_releases(source: Path, *, share: float) -> list[Figure]:
    """Size and seconds of the page; where there is Chromium, its opening, the median of seven."""
    with tempfile.TemporaryDirectory() as folder:
        work = cut(source, Path(folder) / "work.json", share=share)
        home, target = Path(folder) / "home", Path(folder) / "report.html"
        for release, lost in (("r1", 0.0), ("r2", _LOST_SHARE)):
            with served(StandinSettings(memory_failed_share=lost)) as server:
                given = ["--dataset", str(work.path), "--release", release]
                path = run(home, given, server=server).database_path
        start = time.perf_counter()
        write_page(path, target, max_error_percent=2.0)
        write_s = time.perf_counter() - start
        size_mb = target.stat().st_size / 1e6
        asked = f"{work.questions:,} questions, each in two releases"
        figures = [
            Figure("page/size", size_mb, "MB", f"{asked}; goal ≤ {GOAL_MB:g} MB"),
            Figure("page/writing", write_s, "s"),
        ]
        if CHROMIUM is not None:
            times_ms = [_opened_ms(target) for _ in range(7)]
            note = f"until the questions are listed; goal ≤ {GOAL_OPEN_MS:g} ms"
            figures.append(Figure("page/opening", statistics.median(times_ms), "ms", note))
        return figures


def _opened_ms(target: Path) -> float:
    with chromium_page() as page:
        page.goto(target.as_uri())
        page.locator("#rows tr").first.wait_for()
        return float(page.evaluate(_OPENED_MS))
