-- The answer of the newest committed attempt, for each data set, release, conversation, question,
-- system and question protocol. Within an attempt the first complete answer counts. Samples are
-- in `sample_results`.
WITH newest AS (
    SELECT
        arg_max(answers.rowid, (committed_at, attempt_id, outcome = 'answered', -epoch_us(asked_at), answer_id)) AS answer_row,
        max(committed_at) AS committed_at
    FROM answers
    JOIN attempts USING (attempt_id)
    SEMI JOIN touched_partitions AS touched
        ON answers.release = touched.release AND answers.conversation = touched.conversation
    WHERE answers.kind IS DISTINCT FROM 'sample'
    GROUP BY
        answers.dataset_sha256,
        answers.release,
        answers.conversation,
        question_index,
        answers.system,
        question_protocol
)
SELECT
    release,
    conversation,
    question_index,
    category,
    system,
    question_protocol,
    dataset_sha256,
    question,
    outcome,
    reason,
    answer,
    retrieved,
    memory_mode,
    llm_provider,
    llm_model,
    input_tokens,
    output_tokens,
    cost_usd,
    first_chunk_ms,
    latency_ms,
    in_flight,
    asked_at,
    answer_id,
    ingestion_id,
    attempt_id,
    run_id,
    committed_at,
    options_json,
    answer_system,
    memory_tokens,
    retrieval_id
FROM answers
JOIN newest ON answers.rowid = answer_row
ORDER BY release, system, question_protocol, conversation, question_index
