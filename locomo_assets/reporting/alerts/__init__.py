"""Alerts: what is worth telling somebody who is not looking, once, and how it reaches them.

Here: `model` says what is seen and remembered, `deciding` what is told, `telling` in which words,
`channels` sends it. Nothing here knows Dagster; the sensor is `pipeline.sensors.alerts`.
"""
