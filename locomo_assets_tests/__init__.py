"""Tests, mirroring the package's rooms."""
