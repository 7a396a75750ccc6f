-- Accuracy of one release or, with NULL, of all: a row per series where $overall, else a row per
-- series and category. The newest release comes first. Of its series, the one with the newest
-- verdicts comes first, those judged on corrected gold answers after it, the references last. A row is valid where at most $max_error_percent of its own questions and of
-- its whole series have no verdict: errors in one category cast doubt on the rest.
WITH lines AS (
    SELECT *, true AS overall, 'all scored' AS shown, 'overall' AS vendor_shown
    FROM accuracy_by_release
    UNION ALL BY NAME
    SELECT
        *,
        false AS overall,
        category || ' ' || official_name AS shown,
        vendor_name AS vendor_shown
    FROM accuracy_by_category
),
lines_and_errors AS (
    SELECT
        *,
        max(error_share) FILTER (overall) OVER (
            PARTITION BY release, system, question_protocol, dataset_sha256, judge
        ) AS series_error_share
    FROM lines
),
newest AS (
    SELECT
        release,
        system,
        question_protocol,
        dataset_sha256,
        judge,
        max(judged_at) AS judged_at,
        any_value(gold) AS gold
    FROM current_judgements
    GROUP BY ALL
)
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    coalesce(judge, 'not judged') AS judge,
    question_protocol,
    dataset_sha256,
    shown,
    vendor_shown,
    questions,
    scored,
    correct,
    unscored,
    unanswered,
    not_judged,
    round(100 * error_share, 2) AS error_percent,
    100 * greatest(error_share, coalesce(series_error_share, 0)) <= $max_error_percent AS valid,
    round(100 * accuracy, 2) AS accuracy_percent,
    round(100 * accuracy_low, 2) AS low_percent,
    round(100 * accuracy_high, 2) AS high_percent,
    round(latency_p50_ms, 1) AS latency_p50_ms,
    round(latency_p95_ms, 1) AS latency_p95_ms,
    coalesce(input_tokens + output_tokens, input_tokens, output_tokens) AS tokens,
    CASE
        WHEN answers_of_unknown_cost + verdicts_of_unknown_cost = 0
            THEN coalesce(answer_cost_usd, 0) + coalesce(judge_cost_usd, 0)
    END AS cost_usd,
    release IN (SELECT release FROM imported_files) AS imported,
    coalesce(gold, 'published') AS gold,
    question_set,
    conversations,
    round(100 * clustered_se, 2) AS clustered_se_percent,
    round(100 * clustered_low, 2) AS clustered_low_percent,
    round(100 * clustered_high, 2) AS clustered_high_percent,
    round(100 * accuracy_if_rest_wrong, 2) AS if_missing_wrong_percent,
    round(100 * accuracy_if_rest_right, 2) AS if_missing_right_percent
FROM lines_and_errors
LEFT JOIN release_order USING (release)
LEFT JOIN newest USING (release, system, question_protocol, dataset_sha256, judge)
WHERE overall = $overall AND ($release IS NULL OR release = $release)
ORDER BY
    position DESC NULLS LAST,
    is_reference(question_protocol), is_variant(question_protocol), gold IS NOT DISTINCT FROM 'corrected',
    judged_at DESC NULLS LAST,
    release, system, judge, question_protocol, category
