"""From an answer to a verdict: the LLM judge, the lexical judge, prompts, strict parsing."""
