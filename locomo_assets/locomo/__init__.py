"""The data set: reading, validation, categories, evidence, and a small sample of our own."""
