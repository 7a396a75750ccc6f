"""Tests of the wire client and of the LoCoMo protocol over it."""
