"""Makes docs/first-look.png: the asset graph of `make dev`, after a run of the sample."""

import os
import tempfile
from pathlib import Path

from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.browser.serving import GRAPH, REPOSITORY, chromium_page, dagster_ui


def main() -> None:
    """Measures three releases of the sample in a throw-away home, and looks at the graph."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["LOCOMO_HOME"] = folder
        os.environ["DAGSTER_HOME"] = str(prepare_home(home))
        for release in ("r1", "r2", "r3"):
            launch(Launch(release=release), Services(read_settings()))
        with dagster_ui(home) as url, chromium_page(1500, 820) as page:
            page.goto(f"{url}{GRAPH}")
            page.wait_for_timeout(4000)
            page.screenshot(path=REPOSITORY / "docs" / "first-look.png")


if __name__ == "__main__":
    main()
