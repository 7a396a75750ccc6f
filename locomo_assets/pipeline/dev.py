"""`make dev`: the Dagster UI and daemon over the local instance."""

import os
import sys
from pathlib import Path

from locomo_assets.pipeline.launch import prepare_home
from locomo_assets.settings import read_settings


def main() -> None:
    """Becomes `dg dev`; further arguments go to it (`--port 3001`)."""
    settings = read_settings()
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings.home))
    dg = Path(sys.executable).with_name("dg")
    options = ["--workspace", "workspace.yaml"]
    if settings.log_format == "json":
        options += ["--log-format", "json"]
    os.execv(dg, ["dg", "dev", *options, *sys.argv[1:]])  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
