"""What every paid call shares: errors, retries, limits, the budget, call records."""
