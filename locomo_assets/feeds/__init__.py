"""Release feeds: where a new release of the memory service shows, and what is new in it."""
