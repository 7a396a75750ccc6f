-- Results that others published on a data set: each series' categories under both taxonomies, then
-- the whole. The interval is Wilson's where there is one conversation only, else the clustered one.
SELECT
    release,
    system,
    coalesce(llm_model, 'unknown') AS llm_model,
    judge,
    coalesce(category || ' ' || official_name, 'all scored') AS shown,
    coalesce(vendor_name, 'overall') AS vendor_shown,
    correct,
    scored,
    round(100 * accuracy, 2) AS accuracy_percent,
    round(100 * if(conversations = 1, accuracy_low, clustered_low), 2) AS low_percent,
    round(100 * if(conversations = 1, accuracy_high, clustered_high), 2) AS high_percent,
    category IS NULL AS is_whole,
    conversations,
    questions,
    round(100 * accuracy_if_rest_wrong, 2) AS if_missing_wrong_percent,
    round(100 * accuracy_if_rest_right, 2) AS if_missing_right_percent
FROM published_results
LEFT JOIN release_order USING (release)
WHERE dataset_sha256 = $1 AND (category IS NULL OR category <> 5)
ORDER BY position NULLS LAST, system, judge, category NULLS LAST
