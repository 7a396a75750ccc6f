"""Makes the docs' pictures: the asset graph and the metrics in `make dev`, and the report's page.

They show three releases of the packaged sample, measured in a throw-away home. The last of them
loses memories, so that there is something to show.
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


def main() -> None:
    """Writes docs/first-look.png, docs/metrics.png and docs/report.png."""
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
        command = Path(sys.executable).with_name("locomo-assets")
        subprocess.run([command, "report", "--release", "r3", "--html", page_path], check=True)
        with dagster_ui(home) as url, chromium_page(1500, 820) as page:
            page.goto(f"{url}{GRAPH}")
            page.wait_for_timeout(4000)
            page.screenshot(path=REPOSITORY / "docs" / "first-look.png")
            page.goto(f"{url}/assets/accuracy_metrics")
            page.wait_for_timeout(6000)
            page.screenshot(path=REPOSITORY / "docs" / "metrics.png")
            page.set_viewport_size({"width": 1280, "height": 900})
            page.goto(page_path.as_uri())
            page.locator("#rows tr").first.wait_for()
            page.screenshot(path=REPOSITORY / "docs" / "report.png")


if __name__ == "__main__":
    main()
