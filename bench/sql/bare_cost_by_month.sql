SELECT date_trunc('month', started_at), sum(cost_usd) FROM calls GROUP BY ALL
