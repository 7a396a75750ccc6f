-- Scores of one release or, with NULL, of all: a row per series and category, and one over the
-- scored categories (category NULL). The newest release comes first.
WITH parts AS (
    SELECT s.*, r.* EXCLUDE (
        release, category, official_name, vendor_name, counts_in_score, system,
        question_protocol, dataset_sha256, questions
    )
    FROM scores_by_category AS s
    JOIN retrieval_by_category AS r
        ON
            r.release = s.release
            AND r.category = s.category
            AND r.system IS NOT DISTINCT FROM s.system
            AND r.question_protocol = s.question_protocol
            AND r.dataset_sha256 = s.dataset_sha256
),
lines AS (
    SELECT * FROM parts
    UNION ALL BY NAME
    SELECT *, NULL::INTEGER AS category FROM scores_by_release
)
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    question_protocol,
    dataset_sha256,
    category,
    coalesce(category || ' ' || official_name, 'all scored') AS shown,
    answered,
    round(100 * f1, 2) AS f1_percent,
    round(100 * exact_match, 2) AS exact_match_percent,
    round(100 * recall_at_1, 2) AS recall_at_1_percent,
    round(100 * recall_at_5, 2) AS recall_at_5_percent,
    round(100 * recall_at_10, 2) AS recall_at_10_percent,
    round(mrr, 4) AS mrr,
    round(100 * memories_traceable, 2) AS traceable_percent,
    answer_words_p50,
    round(latency_p50_ms, 1) AS latency_p50_ms
FROM lines
LEFT JOIN release_order USING (release)
WHERE $release IS NULL OR release = $release
ORDER BY
    position DESC NULLS LAST,
    is_reference(question_protocol),
    is_variant(question_protocol),
    question_protocol,
    system,
    dataset_sha256,
    category NULLS LAST
