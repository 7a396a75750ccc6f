-- Which turns each memory holds: by the memory operations that name it; where none does, by its
-- words (`locomo.tracing`). Imported results have no ingestion; a memory without an id is known by
-- its text.
WITH answers_touched AS (
    SELECT * FROM current_answers SEMI JOIN touched_partitions USING (release, conversation)
),
named AS (
    SELECT DISTINCT
        release,
        conversation,
        ingestion_id,
        unnest(memory_ids) AS memory_key,
        dia_id
    FROM memory_operations
    SEMI JOIN answers_touched USING (release, conversation, ingestion_id)
),
texts AS (
    SELECT DISTINCT release, conversation, dataset_sha256, ingestion_id, memory_id AS memory_key, memory
    FROM memories
    SEMI JOIN answers_touched USING (release, conversation, ingestion_id)
    WHERE memory_id IS NOT NULL
    UNION
    SELECT DISTINCT
        a.release,
        a.conversation,
        a.dataset_sha256,
        a.ingestion_id,
        coalesce(r.memory_id, md5(r.memory)),
        r.memory
    FROM answers_touched AS a
    JOIN retrieved_memories AS r
        ON
            r.release = a.release
            AND r.conversation = a.conversation
            AND r.attempt_id = a.attempt_id
            AND r.answer_id = a.answer_id
    UNION
    SELECT DISTINCT
        a.release,
        a.conversation,
        a.dataset_sha256,
        a.ingestion_id,
        coalesce(r.memory_id, md5(r.memory)),
        r.memory
    FROM answers_touched AS a
    JOIN retrievals AS r
        ON
            r.release = a.release
            AND r.conversation = a.conversation
            AND r.retrieval_id = a.retrieval_id
            AND r.rank IS NOT NULL
),
unnamed AS (
    SELECT release, conversation, dataset_sha256, ingestion_id, memory_key, any_value(memory) AS memory
    FROM texts
    ANTI JOIN named
        ON
            named.release = texts.release
            AND named.conversation = texts.conversation
            AND named.ingestion_id = texts.ingestion_id
            AND named.memory_key = texts.memory_key
    WHERE memory IS NOT NULL
    GROUP BY ALL
),
said AS (
    SELECT
        dataset_sha256,
        conversation,
        dia_id,
        any_value(speaker) AS speaker,
        any_value(concat_ws(' ', text, image_query, image_caption)) AS text
    FROM turns
    SEMI JOIN unnamed USING (dataset_sha256, conversation)
    GROUP BY dataset_sha256, conversation, dia_id
),
dialogues AS (
    SELECT
        dataset_sha256,
        conversation,
        list({dia_id: dia_id, speaker: speaker, text: text} ORDER BY dia_id) AS turns
    FROM said
    GROUP BY dataset_sha256, conversation
),
grouped AS (
    SELECT
        release,
        conversation,
        dataset_sha256,
        ingestion_id,
        list(memory_key ORDER BY memory_key) AS keys,
        list(memory ORDER BY memory_key) AS memories
    FROM unnamed
    GROUP BY ALL
),
traced AS (
    SELECT
        release,
        conversation,
        ingestion_id,
        unnest(keys) AS memory_key,
        unnest(trace_memories(memories, turns)) AS dia_ids
    FROM grouped
    JOIN dialogues USING (dataset_sha256, conversation)
)
SELECT release, conversation, ingestion_id, memory_key, dia_id, 'operation' AS traced_by FROM named
UNION ALL
SELECT release, conversation, ingestion_id, memory_key, unnest(dia_ids), 'words' FROM traced
ORDER BY release, conversation, ingestion_id, memory_key, dia_id
