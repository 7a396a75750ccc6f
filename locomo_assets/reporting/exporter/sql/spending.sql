-- Tokens and cost of all calls of a release, repeats included. The stand-in costs nothing, whatever
-- model it names.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    service,
    coalesce(sum(input_tokens), 0)::BIGINT AS input_tokens,
    coalesce(sum(output_tokens), 0)::BIGINT AS output_tokens,
    coalesce(sum(cost_usd) FILTER (system IS DISTINCT FROM 'standin'), 0) AS cost_usd,
    coalesce(sum(calls_of_unknown_cost), 0)::BIGINT AS calls_of_unknown_cost
FROM call_counts
JOIN attempts USING (attempt_id)
WHERE list_contains($releases::VARCHAR[], release)
GROUP BY ALL
ORDER BY ALL
