"""Copies of the history in another place: made while runs write, checked, restored."""
