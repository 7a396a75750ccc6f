-- Accuracy and gold faults of one release or, with NULL, of all; by one audit or, with NULL, by the
-- newest of each data set. A row per series and category, and after them one for the whole;
-- `by_conversation` has (scored, correct) of each conversation without the faulty questions.
WITH kept AS (
    SELECT
        j.*,
        audits.audit_sha256 AS audit
    FROM current_judgements AS j
    JOIN (SELECT DISTINCT dataset_sha256, audit_sha256 FROM current_gold_faults) AS audits
        USING (dataset_sha256)
    WHERE
        j.verdict IN ('correct', 'wrong')
        AND j.category <> 5
        AND ($release IS NULL OR j.release = $release)
        AND NOT EXISTS (
            FROM current_gold_faults AS f
            WHERE
                f.corrupts_score
                AND f.audit_sha256 = audits.audit_sha256
                AND f.dataset_sha256 = j.dataset_sha256
                AND f.conversation = j.conversation
                AND f.question_index = j.question_index
        )
),
counted AS (
    SELECT
        release,
        coalesce(system, 'unknown') AS system,
        question_protocol,
        judge,
        dataset_sha256,
        audit AS audit_sha256,
        CASE WHEN grouping(category) = 0 THEN category ELSE 0 END AS place,
        conversation,
        count(*) AS scored,
        count(*) FILTER (verdict = 'correct') AS correct
    FROM kept
    GROUP BY
        release, system, question_protocol, judge, dataset_sha256, audit, conversation,
        GROUPING SETS ((), (category))
),
conversations AS (
    SELECT
        release,
        system,
        question_protocol,
        judge,
        dataset_sha256,
        audit_sha256,
        place,
        list((scored, correct) ORDER BY conversation) AS by_conversation
    FROM counted
    GROUP BY ALL
),
lines AS (
    SELECT
        * REPLACE (coalesce(system, 'unknown') AS system),
        coalesce(category, 0) AS place
    FROM accuracy_and_gold_faults
)
SELECT
    release,
    system,
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
    round(100 * faulty_correct_share, 2) AS faulty_correct_percent,
    coalesce(by_conversation, []) AS by_conversation
FROM lines
LEFT JOIN release_order USING (release)
LEFT JOIN conversations
    USING (release, system, question_protocol, judge, dataset_sha256, audit_sha256, place)
WHERE
    ($release IS NULL OR release = $release)
    AND CASE WHEN $audit_sha256 IS NULL THEN is_newest_audit ELSE audit_sha256 = $audit_sha256 END
    AND (category IS NULL OR category <> 5)
ORDER BY position DESC NULLS LAST, question_protocol, system, judge, dataset_sha256, category NULLS LAST
