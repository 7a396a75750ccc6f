"""What Dagster loads: the code location over this process's settings."""

from locomo_assets.pipeline.build import build_defs

defs = build_defs()
