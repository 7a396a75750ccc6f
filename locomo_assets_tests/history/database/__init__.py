"""`history.database`: building, refreshing, publishing and reading it."""
