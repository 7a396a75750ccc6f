"""What is asked of OpenAI-compatible servers: request, reply, errors; for judge and answerer."""
