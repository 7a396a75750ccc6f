"""Alerts: which incidents are worth a message, what it says, and how it is sent.

Nothing here knows Dagster; the sensor is `pipeline.sensors.alerts`.
"""
