CREATE VIEW cost_by_run AS
SELECT
    run_id,
    release,
    system,
    min(begun_at) AS begun_at,
    max(committed_at) AS committed_at,
    count(DISTINCT attempt_id) AS attempts,
    coalesce(sum(calls), 0)::BIGINT AS calls,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(cost_usd) FILTER (service = 'backboard') AS backboard_cost_usd,
    sum(cost_usd) FILTER (service = 'judge') AS judge_cost_usd,
    sum(cost_usd) AS cost_usd,
    coalesce(sum(calls_of_unknown_cost), 0)::BIGINT AS calls_of_unknown_cost,
    sum(cost_usd) FILTER (service = 'answerer') AS answerer_cost_usd
FROM attempts
LEFT JOIN call_counts USING (attempt_id)
WHERE asset NOT IN ('locomo_dataset', 'releases', 'imported_results', 'release_checks', 'damaged_ingestions', 'pinned_baselines', 'stopped_runs', 'ladder')
GROUP BY run_id, release, system;

CREATE VIEW cost_by_month AS
SELECT
    month,
    system,
    service,
    sum(calls)::BIGINT AS calls,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(cost_usd) AS cost_usd,
    sum(calls_of_unknown_cost)::BIGINT AS calls_of_unknown_cost
FROM call_counts
JOIN attempts USING (attempt_id)
GROUP BY month, system, service;

CREATE VIEW errors_by_endpoint AS
WITH counted AS (
    SELECT
        release,
        system,
        service,
        endpoint,
        CASE
            WHEN error IS NOT NULL THEN error
            WHEN status >= 400 THEN 'HTTP ' || status
        END AS error,
        sum(calls)::BIGINT AS errors
    FROM call_counts
    JOIN attempts USING (attempt_id)
    GROUP BY ALL
),
totals AS (
    SELECT
        *,
        sum(errors) OVER (PARTITION BY release, system, service, endpoint)::BIGINT AS calls
    FROM counted
)
SELECT
    release,
    system,
    service,
    endpoint,
    error,
    errors,
    calls,
    errors / calls AS error_rate
FROM totals
WHERE error IS NOT NULL;

CREATE VIEW damaged_ingestions AS
SELECT release, conversation, system, ingestion_id, assistant_id, reason, noted_at, run_id
FROM ingest_journal
WHERE event = 'damaged';
