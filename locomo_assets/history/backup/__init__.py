"""Snapshots of a history: create, verify, restore."""
