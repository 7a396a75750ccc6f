"""Measured releases of the packaged sample, to report on."""

from pathlib import Path

import pytest

from locomo_assets.pipeline.launch import Launch, launch, prepare_home
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings


def measure_two_releases(home: Path) -> Path:
    """Measures r1, then r2 with a memory that fails at times, and r2's floor; the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCOMO_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(prepare_home(home)))
        patch.setenv("BACKBOARD_API_KEY", DEFAULT_KEY)
        for release, protocol, failed in (
            ("r1", "isolated", 0.0),
            ("r2", "isolated", 0.5),
            ("r2", "no-memory", 0.0),
        ):
            patch.setenv("LOCOMO_QUESTION_PROTOCOL", protocol)
            settings = StandinSettings(memory_failed_share=failed)
            with running_standin(settings, home / f"{release}-{protocol}.sqlite") as urls:
                patch.setenv("BACKBOARD_BASE_URL", urls.backboard)
                services = Services(read_settings())
                launch(Launch(release=release), services)
        return services.settings.database_path
