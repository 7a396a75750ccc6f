"""The LoCoMo data set: reading and validating it, its categories, scores, and a small sample."""
