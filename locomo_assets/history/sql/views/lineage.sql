CREATE VIEW lineage AS
WITH turns_of_memory AS (
    SELECT
        ingestion_id,
        memory_id,
        list(DISTINCT dia_id ORDER BY dia_id) AS dia_ids
    FROM (
        SELECT ingestion_id, unnest(memory_ids) AS memory_id, dia_id FROM memory_operations
    )
    GROUP BY ingestion_id, memory_id
),
dataset_files AS (
    SELECT
        dataset_sha256,
        arg_max(source, written_at) AS dataset_source,
        arg_max(run_id, written_at) AS dataset_run_id
    FROM conversations
    GROUP BY dataset_sha256
),
ingestions_once AS (
    SELECT
        ingestion_id,
        any_value(assistant_id) AS assistant_id,
        any_value(run_id) AS ingestion_run_id
    FROM ingestions
    GROUP BY ingestion_id
)
SELECT
    j.release,
    j.conversation,
    j.question_index,
    j.judgement_id,
    j.verdict,
    j.judge,
    j.judgement_run_id,
    j.answer_id,
    j.answer,
    j.system,
    j.question_protocol,
    j.answer_run_id,
    r.rank AS memory_rank,
    r.memory_id,
    r.memory,
    r.score AS memory_score,
    m.dia_ids AS memory_dia_ids,
    q.evidence AS evidence_dia_ids,
    j.ingestion_id,
    i.assistant_id,
    i.ingestion_run_id,
    j.dataset_sha256,
    d.dataset_source,
    d.dataset_run_id,
    CASE WHEN f.file IS NULL THEN 'measured' ELSE 'imported' END AS origin,
    f.file AS imported_file,
    f.file_sha256 AS imported_file_sha256
FROM current_judgements AS j
LEFT JOIN retrieved_memories AS r
    ON r.answer_id = j.answer_id AND r.attempt_id = j.answer_attempt_id
LEFT JOIN turns_of_memory AS m
    ON m.ingestion_id = j.ingestion_id AND m.memory_id = r.memory_id
LEFT JOIN ingestions_once AS i ON i.ingestion_id = j.ingestion_id
LEFT JOIN current_questions AS q
    ON
        q.dataset_sha256 = j.dataset_sha256
        AND q.conversation = j.conversation
        AND q.question_index = j.question_index
LEFT JOIN dataset_files AS d ON d.dataset_sha256 = j.dataset_sha256
LEFT JOIN imported_files AS f
    ON
        f.attempt_id = j.answer_attempt_id
        AND coalesce(f.conversation, j.conversation) = j.conversation;
