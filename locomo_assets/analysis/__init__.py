"""What the numbers mean: accuracy, intervals, comparison, noise, the decision, checks."""
