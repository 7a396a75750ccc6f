"""The Dagster side: thin bodies that call the domain, report to the UI, decide when things run."""
