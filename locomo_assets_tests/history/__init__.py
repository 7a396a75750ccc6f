"""Tests of `locomo_assets.history`."""
