"""The stand-in as a judge."""
