"""Tests of Backboard's client, and of ingesting and asking with it."""
