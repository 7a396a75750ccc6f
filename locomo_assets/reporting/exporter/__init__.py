"""The history as Prometheus metrics. Alert rules and the dashboard on them are in `deploy/`."""
