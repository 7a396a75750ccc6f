CREATE VIEW current_gold_faults AS
WITH stored AS (
    SELECT attempt_id, committed_at, dataset_sha256, any_value(audit_sha256) AS audit_sha256
    FROM attempts
    JOIN (SELECT attempt_id, audit_sha256 FROM gold_faults) USING (attempt_id)
    GROUP BY attempt_id, committed_at, dataset_sha256
),
newest AS (
    SELECT
        attempt_id,
        row_number() OVER (
            PARTITION BY dataset_sha256 ORDER BY committed_at DESC, attempt_id DESC
        ) = 1 AS is_newest_audit
    FROM stored
    QUALIFY row_number() OVER (
        PARTITION BY dataset_sha256, audit_sha256 ORDER BY committed_at DESC, attempt_id DESC
    ) = 1
)
SELECT
    dataset_sha256,
    conversation,
    question_index,
    category,
    error_type,
    corrupts_score,
    question,
    gold_answer,
    correct_answer,
    cited_evidence,
    correct_evidence,
    reasoning,
    audit_sha256,
    audit_source,
    is_newest_audit
FROM gold_faults
JOIN newest USING (attempt_id);

-- A null category means all scored ones. The ceiling is the score of a system that is right
-- wherever the gold answer is, by a judge that keeps to the gold answers; a verdict on the audit's
-- correction does not lower it. `faulty_correct` counts, of the faulty gold answers that the judge
-- was given, those it marked the answer right on.
CREATE VIEW accuracy_and_gold_faults AS
WITH verdicts_on_faults AS (
    SELECT
        j.dataset_sha256,
        j.release,
        j.system,
        j.question_protocol,
        j.judge,
        j.category,
        f.audit_sha256,
        j.verdict = 'correct' AS correct,
        j.audit_sha256 IS DISTINCT FROM f.audit_sha256 OR f.correct_answer IS NULL AS unrepaired
    FROM current_judgements AS j
    JOIN current_gold_faults AS f
        ON
            f.dataset_sha256 = j.dataset_sha256
            AND f.conversation = j.conversation
            AND f.question_index = j.question_index
    WHERE f.corrupts_score AND j.verdict IN ('correct', 'wrong')
),
counted AS (
    SELECT
        dataset_sha256,
        release,
        system,
        question_protocol,
        judge,
        category <> 5 AS counts_in_score,
        CASE WHEN grouping(category) = 0 THEN category END AS category,
        audit_sha256,
        count(*) AS faulty,
        count(*) FILTER (correct) AS faulty_correct,
        count(*) FILTER (unrepaired) AS unrepaired,
        count(*) FILTER (correct AND unrepaired) AS unrepaired_correct
    FROM verdicts_on_faults
    GROUP BY
        dataset_sha256, release, system, question_protocol, judge, counts_in_score, audit_sha256,
        GROUPING SETS ((), (category))
),
audits AS (
    SELECT DISTINCT dataset_sha256, audit_sha256, is_newest_audit FROM current_gold_faults
),
put_together AS (
    SELECT
        cells.*,
        audits.audit_sha256,
        audits.is_newest_audit,
        coalesce(faulty, 0) AS faulty_scored,
        coalesce(unrepaired, 0) AS faulty_given,
        coalesce(unrepaired_correct, 0) AS faulty_correct,
        cells.correct - coalesce(faulty_correct, 0) AS correct_without_faults,
        cells.scored - faulty_scored AS scored_without_faults,
        (cells.scored - faulty_given) / nullif(cells.scored, 0) AS ceiling
    FROM accuracy_cells AS cells
    JOIN audits USING (dataset_sha256)
    LEFT JOIN counted
        ON
            counted.dataset_sha256 = cells.dataset_sha256
            AND counted.audit_sha256 = audits.audit_sha256
            AND counted.release = cells.release
            AND counted.system IS NOT DISTINCT FROM cells.system
            AND counted.question_protocol = cells.question_protocol
            AND counted.judge = cells.judge
            AND counted.counts_in_score = cells.counts_in_score
            AND counted.category IS NOT DISTINCT FROM cells.category
    WHERE
        cells.conversation IS NULL
        AND cells.judge IS NOT NULL
        AND (cells.category IS NOT NULL OR cells.counts_in_score)
)
SELECT
    release,
    system,
    question_protocol,
    judge,
    dataset_sha256,
    p.category,
    official_name,
    vendor_name,
    scored,
    correct,
    accuracy,
    accuracy_low,
    accuracy_high,
    faulty_scored,
    scored_without_faults,
    correct_without_faults,
    correct_without_faults / nullif(scored_without_faults, 0) AS accuracy_without_faults,
    wilson_low(correct_without_faults, scored_without_faults) AS without_faults_low,
    wilson_high(correct_without_faults, scored_without_faults) AS without_faults_high,
    ceiling,
    error_share,
    audit_sha256,
    is_newest_audit,
    faulty_given,
    faulty_correct,
    faulty_correct / nullif(faulty_given, 0) AS faulty_correct_share
FROM put_together AS p
LEFT JOIN categories ON categories.category = p.category;
