"""Sensors: thin shells around decisions that other rooms make."""
