"""One conversation's way through the history: ingest, answer, judge, commit, resume."""
