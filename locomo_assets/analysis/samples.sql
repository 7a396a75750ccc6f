-- The samples, newest first, a row per series.
SELECT
    release,
    sample_id,
    coalesce(system, 'unknown') AS system,
    coalesce(judge, 'not judged') AS judge,
    question_protocol,
    questions,
    scored,
    correct,
    100 * error_share AS error_percent,
    round(100 * accuracy, 2) AS accuracy_percent,
    round(100 * accuracy_low, 2) AS low_percent,
    round(100 * accuracy_high, 2) AS high_percent,
    round(100 * accuracy_change, 2) AS change_points,
    round(latency_p50_ms, 1) AS latency_p50_ms,
    coalesce(answer_cost_usd, 0) + coalesce(judge_cost_usd, 0) AS cost_usd,
    coalesce(memory_of, 'none') AS memory_of
FROM sample_trend
ORDER BY asked_at DESC, system, judge, question_protocol
