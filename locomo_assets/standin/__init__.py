"""An offline Backboard and judge that speaks the same wire protocol, with faults on request.

It imports nothing of the project but `locomo`. Every response names it, so that nobody takes its
score for the real service's.
"""
