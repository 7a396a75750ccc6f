"""The assets, one module for each group that is made together."""
