"""How the stand-in answers: what its models read, and the OpenAI-compatible completions."""
