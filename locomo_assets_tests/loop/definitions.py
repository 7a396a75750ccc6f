"""The code location of the loop tests: the project's own, looking after results every second."""

from locomo_assets.pipeline.build import build_defs

defs = build_defs(results_every_s=1)
