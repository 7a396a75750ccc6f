-- The categories of a release (or, with NULL, of all releases): a row per series and category.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    coalesce(judge, 'not judged') AS judge,
    question_protocol,
    dataset_sha256,
    category || ' ' || official_name AS category,
    vendor_name AS vendor_category,
    questions,
    scored,
    correct,
    unscored,
    unanswered,
    round(100 * accuracy, 2) AS accuracy_percent,
    round(100 * accuracy_low, 2) AS low_percent,
    round(100 * accuracy_high, 2) AS high_percent,
    round(latency_p50_ms, 1) AS latency_p50_ms,
    round(latency_p95_ms, 1) AS latency_p95_ms,
    coalesce(input_tokens, 0) + coalesce(output_tokens, 0) AS tokens,
    CASE
        WHEN answers_of_unknown_cost + verdicts_of_unknown_cost = 0
            THEN coalesce(answer_cost_usd, 0) + coalesce(judge_cost_usd, 0)
    END AS cost_usd
FROM accuracy_by_category
WHERE $release IS NULL OR release = $release
ORDER BY release, system, judge, question_protocol, dataset_sha256, accuracy_by_category.category
