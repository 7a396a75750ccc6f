"""`python -m locomo_assets.cli`: the same as `locomo-assets`."""

from locomo_assets.cli import main

main()
