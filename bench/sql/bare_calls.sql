SELECT release, service, started_at, cost_usd FROM calls
