"""Runs that the real daemon starts, side by side and from backfills, at a counting stand-in."""
