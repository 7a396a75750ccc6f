"""Tests of the offline Backboard and judge, over real sockets and real SQLite files."""
