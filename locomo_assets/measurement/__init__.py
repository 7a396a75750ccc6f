"""One conversation's way through the history: ingest, ask, judge, commit; what is reused."""
