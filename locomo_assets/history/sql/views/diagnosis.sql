-- One reason for each wrong verdict, the first that holds. A fault of the gold answer counts unless
-- the judge was given its correction.
CREATE VIEW diagnosis AS
WITH faults AS (
    SELECT dataset_sha256, conversation, question_index, error_type, audit_sha256, correct_answer
    FROM current_gold_faults
    WHERE corrupts_score AND is_newest_audit
),
accepted AS (
    SELECT DISTINCT release, conversation, answer_id, judge
    FROM current_judgements
    WHERE verdict = 'correct'
),
others AS (
    SELECT j.judgement_id, min(accepted.judge) AS judge
    FROM current_judgements AS j
    JOIN accepted USING (release, conversation, answer_id)
    WHERE j.verdict = 'wrong'
    GROUP BY j.judgement_id
),
put_together AS (
    SELECT
        j.*,
        e.* EXCLUDE (
            release, conversation, question_index, category, system, question_protocol,
            dataset_sha256, answer_id, ingestion_id
        ),
        f.audit_sha256 IS NOT NULL AS gold_is_faulty,
        f.error_type AS gold_error_type,
        others.judge AS accepted_by,
        CASE
            WHEN others.judge IS NOT NULL THEN 'judge ' || others.judge || ' says correct'
            WHEN j.agreement < 1 THEN
                'only ' || round(100 * j.agreement)::INTEGER || ' % of the votes say wrong'
            WHEN e.contains_gold AND j.category <> 5 THEN 'the answer contains the gold answer'
        END AS doubt
    FROM current_judgements AS j
    LEFT JOIN answer_evidence AS e
        ON
            e.release = j.release
            AND e.conversation = j.conversation
            AND e.question_index = j.question_index
            AND e.answer_id = j.answer_id
    LEFT JOIN faults AS f
        ON
            f.dataset_sha256 = j.dataset_sha256
            AND f.conversation = j.conversation
            AND f.question_index = j.question_index
            AND (j.audit_sha256 IS DISTINCT FROM f.audit_sha256 OR f.correct_answer IS NULL)
    LEFT JOIN others ON others.judgement_id = j.judgement_id
    WHERE j.verdict = 'wrong'
)
SELECT
    release,
    conversation,
    question_index,
    category,
    system,
    question_protocol,
    judge,
    dataset_sha256,
    CASE
        WHEN gold_is_faulty THEN 'gold_faulty'
        WHEN doubt IS NOT NULL THEN 'judge_doubtful'
        ELSE coalesce(reason_if_wrong, 'unknown')
    END AS reason,
    CASE
        WHEN gold_is_faulty THEN
            concat_ws(
                ': ', 'an audit calls its gold answer wrong', replace(lower(gold_error_type), '_', ' ')
            )
        WHEN doubt IS NOT NULL THEN doubt
        ELSE coalesce(detail_if_wrong, 'nothing is known of its evidence')
    END AS detail,
    evidence_turns,
    evidence_stored,
    evidence_retrieved,
    first_rank,
    memories_retrieved,
    memories_traced,
    stage,
    declined,
    contains_gold,
    evidence,
    agreement,
    accepted_by,
    gold_error_type,
    question,
    gold_answer,
    answer,
    answer_id,
    ingestion_id,
    judgement_id
FROM put_together;
