"""What every paid call shares: errors, retries, rate limits, the budget, call records, SSE."""
