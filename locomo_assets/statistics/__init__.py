"""How sure a number is: intervals, paired comparison, noise floor, words. Numbers in, numbers out.

Rates and differences are fractions (0.01 is one percentage point), intervals are at 95 %, and a
number that can't be had is None beside a reason, never NaN.
"""
