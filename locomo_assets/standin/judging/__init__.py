"""The OpenAI-compatible service below `/v1`: the judge, its batches, and an answerer's call."""
