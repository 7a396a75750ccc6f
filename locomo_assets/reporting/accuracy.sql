-- The series of a release (or, with NULL, of all releases), newest first: one row each.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    coalesce(judge, 'not judged') AS judge,
    question_protocol,
    dataset_sha256,
    'all scored' AS category,
    'overall' AS vendor_category,
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
FROM accuracy_by_release
LEFT JOIN (
    SELECT release, system, question_protocol, dataset_sha256, judge, max(judged_at) AS judged_at
    FROM current_judgements
    GROUP BY ALL
) AS newest USING (release, system, question_protocol, dataset_sha256, judge)
WHERE $release IS NULL OR release = $release
ORDER BY newest.judged_at DESC NULLS LAST
