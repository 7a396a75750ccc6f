"""Simulations behind the figures of docs/statistics.md and docs/diagnosis.md.

Data with a known truth, seeds stated.

One module a claim; each gives tables of the page by name, and `__main__` lists them.
"""
