"""Makes the docs' pictures: the asset graph and the metrics in `make dev`, and the pages.

They show three releases of the packaged sample, measured in a throw-away home; the last of them
loses memories, so that there is something to show. In another home they show both ladders.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.browser.serving import GRAPH, REPOSITORY, chromium_page, dagster_ui

DOCS = REPOSITORY / "docs"


def main() -> None:
    """Writes docs/first-look.png, metrics.png, report.png, ladder.png and leaderboard.png."""
    draw_ladders()
    draw_releases()


def draw_ladders() -> None:
    """The waterfall of each ladder, and their steps on the leaderboard."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with running_standin(StandinSettings(), home / "standin.sqlite") as urls:
            environment = {
                "LOCOMO_HOME": folder,
                "BACKBOARD_API_KEY": DEFAULT_KEY,
                "BACKBOARD_BASE_URL": urls.backboard,
                "OPENAI_API_KEY": DEFAULT_KEY,
                "OPENAI_BASE_URL": urls.openai,
                "LOCOMO_ANSWER_API_KEY": DEFAULT_KEY,
                "LOCOMO_ANSWER_BASE_URL": urls.openai,
            }
            for ladder in ("published-to-other-harness", "lite-to-pro"):
                _command("ladder", ladder, "--release", "r1", **environment)
        report, leaderboard = home / "report.html", home / "leaderboard.html"
        _command("report", "--release", "r1", "--html", report, **environment)
        _command("report", "--leaderboard", "--html", leaderboard, **environment)
        with chromium_page(1100, 900) as page:
            page.goto(report.as_uri())
            page.locator("#ladder").screenshot(path=DOCS / "ladder.png")
            page.goto(leaderboard.as_uri())
            page.screenshot(path=DOCS / "leaderboard.png")


def _command(*arguments: str | Path, **environment: str) -> None:
    command = Path(sys.executable).with_name("locomo-assets")
    subprocess.run([command, *arguments], check=True, env={**os.environ, **environment})


def draw_releases() -> None:
    """The asset graph, a release's metrics, and its page."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["LOCOMO_HOME"] = folder
        os.environ["DAGSTER_HOME"] = str(prepare_home(home))
        os.environ["BACKBOARD_API_KEY"] = DEFAULT_KEY
        for release, lost in (("r1", 0.0), ("r2", 0.0), ("r3", 0.4)):
            settings = StandinSettings(memory_failed_share=lost)
            with running_standin(settings, home / f"{release}.sqlite") as urls:
                os.environ["BACKBOARD_BASE_URL"] = urls.backboard
                launch(Launch(release=release), Services(read_settings()))
        page_path = home / "report.html"
        _command("report", "--release", "r3", "--html", page_path)
        with dagster_ui(home) as url, chromium_page(1500, 820) as page:
            page.goto(f"{url}{GRAPH}")
            page.wait_for_timeout(4000)
            page.screenshot(path=DOCS / "first-look.png")
            page.goto(f"{url}/assets/accuracy_metrics")
            page.wait_for_timeout(6000)
            page.screenshot(path=DOCS / "metrics.png")
            page.set_viewport_size({"width": 1280, "height": 900})
            page.goto(page_path.as_uri())
            page.locator("#rows tr").first.wait_for()
            page.screenshot(path=DOCS / "report.png")


if __name__ == "__main__":
    main()
