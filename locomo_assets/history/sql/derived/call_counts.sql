-- The requests of each attempt, counted by month, endpoint and result. A call with tokens but no
-- price has an unknown cost; one without tokens is free.
SELECT
    attempt_id,
    date_trunc('month', started_at AT TIME ZONE 'UTC')::DATE AS month,
    service,
    endpoint,
    status,
    error,
    count(*) AS calls,
    count(*) FILTER (attempt > 1) AS retries,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(cost_usd) AS cost_usd,
    count(*) FILTER (
        cost_usd IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL
    ) AS calls_of_unknown_cost
FROM calls
SEMI JOIN touched_attempts USING (attempt_id)
-- Ids begin with a time: by this range most of the table is not looked at.
WHERE
    attempt_id BETWEEN (SELECT min(attempt_id) FROM touched_attempts)
    AND (SELECT max(attempt_id) FROM touched_attempts)
GROUP BY attempt_id, month, service, endpoint, status, error
ORDER BY attempt_id, month, service, endpoint, status, error
