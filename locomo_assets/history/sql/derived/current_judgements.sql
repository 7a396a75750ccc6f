-- For each current answer and judge, the newest committed verdict on exactly that answer. Within
-- an attempt the first scored verdict counts.
WITH newest AS (
    SELECT
        arg_max(judgements.rowid, (committed_at, attempt_id, verdict <> 'unscored', -epoch_us(judged_at), judgement_id))
            AS judgement_row
    FROM judgements
    JOIN attempts USING (attempt_id)
    SEMI JOIN touched_partitions AS touched
        ON
            judgements.release = touched.release
            AND judgements.conversation = touched.conversation
    GROUP BY judgements.release, judgements.conversation, answer_id, judge
),
answers_touched AS (
    SELECT * FROM current_answers SEMI JOIN touched_partitions USING (release, conversation)
)
SELECT
    j.release,
    j.conversation,
    j.question_index,
    a.category,
    j.verdict,
    j.judge,
    a.system,
    a.question_protocol,
    a.dataset_sha256,
    a.question,
    -- what the judge was given
    coalesce(j.corrected_gold_answer, q.gold_answer) AS gold_answer,
    a.answer,
    j.reasoning,
    coalesce(j.reason, a.reason) AS reason,
    a.latency_ms,
    a.retrieved,
    a.input_tokens,
    a.output_tokens,
    a.cost_usd,
    j.judge_system,
    j.judge_model,
    j.prompt_name,
    j.prompt_sha256,
    j.votes,
    j.agreement,
    CASE WHEN j.audit_sha256 IS NULL THEN 'published' ELSE 'corrected' END AS gold,
    j.audit_sha256,
    j.latency_ms AS judge_latency_ms,
    j.input_tokens AS judge_input_tokens,
    j.output_tokens AS judge_output_tokens,
    j.cost_usd AS judge_cost_usd,
    a.asked_at,
    j.judged_at,
    j.judgement_id,
    j.answer_id,
    a.ingestion_id,
    j.attempt_id AS judgement_attempt_id,
    a.attempt_id AS answer_attempt_id,
    j.run_id AS judgement_run_id,
    a.run_id AS answer_run_id
FROM newest
JOIN judgements AS j ON j.rowid = judgement_row
JOIN answers_touched AS a
    ON
        a.release = j.release
        AND a.conversation = j.conversation
        AND a.question_index = j.question_index
        AND a.answer_id = j.answer_id
LEFT JOIN current_questions AS q
    ON
        q.dataset_sha256 = a.dataset_sha256
        AND q.conversation = a.conversation
        AND q.question_index = a.question_index
ORDER BY
    j.release, a.system, a.question_protocol, j.judge, j.conversation, j.question_index
