-- How many answers took at most each bound, a row a bound; the bound NULL counts all.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    question_protocol,
    bound,
    count(*) FILTER (bound IS NULL OR latency_ms <= 1000 * bound) AS within,
    sum(latency_ms) / 1000 AS total_s
FROM current_answers
CROSS JOIN (SELECT unnest($bounds::DOUBLE[]) AS bound)
WHERE outcome = 'answered' AND latency_ms IS NOT NULL AND list_contains($releases::VARCHAR[], release)
GROUP BY ALL
ORDER BY ALL
