"""Real runs that are killed and stopped in the middle, against a faulty stand-in in another
process: small in the suite, large by `make chaos`.
"""
