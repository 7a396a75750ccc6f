"""The history as Prometheus metrics.

Here: `reading` makes numbers of the database, `metrics` names them, `serving` answers scrapes. The
rules and the dashboard on them are in `deploy/`.
"""
