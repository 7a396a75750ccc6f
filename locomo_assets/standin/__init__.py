"""An offline Backboard, judge and answering model: the same wire protocols, faults on request.

It imports nothing of the project but `locomo`. Every response names it, so that nobody takes its
score for the real service's.
"""
