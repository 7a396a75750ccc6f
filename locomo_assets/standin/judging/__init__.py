"""The stand-in as an OpenAI-compatible judge: completions and batches of them."""
