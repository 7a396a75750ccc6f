"""Judging what is stored: a release's answers, by one judge or by a panel. Nothing is asked of a
memory service.
"""
