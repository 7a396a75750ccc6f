"""Speed, memory and scale, measured: `make bench`.

Here: measurements only, each as a ratio of things measured in one run on one machine. Nothing of
the package imports it, and no test rests on an absolute time.
"""
