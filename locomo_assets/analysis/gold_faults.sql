-- Accuracy and gold faults of one release or, with NULL, of all; by one audit or, with NULL, by the
-- newest of each data set. A row per series and category, and after them one for the whole.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    question_protocol,
    judge,
    dataset_sha256,
    category,
    coalesce(category || ' ' || official_name, 'all scored') AS shown,
    coalesce(vendor_name, 'overall') AS vendor_shown,
    scored,
    correct,
    scored_without_faults,
    correct_without_faults,
    faulty_scored,
    round(100 * accuracy, 2) AS accuracy_percent,
    round(100 * accuracy_without_faults, 2) AS without_faults_percent,
    round(100 * without_faults_low, 2) AS without_faults_low_percent,
    round(100 * without_faults_high, 2) AS without_faults_high_percent,
    round(100 * ceiling, 2) AS ceiling_percent,
    audit_sha256,
    faulty_given,
    faulty_correct,
    round(100 * faulty_correct_share, 2) AS faulty_correct_percent
FROM accuracy_and_gold_faults
LEFT JOIN release_order USING (release)
WHERE
    ($release IS NULL OR release = $release)
    AND CASE WHEN $audit_sha256 IS NULL THEN is_newest_audit ELSE audit_sha256 = $audit_sha256 END
    AND (category IS NULL OR category <> 5)
ORDER BY position DESC NULLS LAST, question_protocol, system, judge, dataset_sha256, category NULLS LAST
