-- The memories retrieved for each current answer of a series, by rank, with the turns they hold.
WITH asked AS (
    SELECT release, conversation, question_index, attempt_id, answer_id, ingestion_id
    FROM current_answers
    WHERE
        release = $release
        AND coalesce(system, 'unknown') = $system
        AND question_protocol = $question_protocol
        AND dataset_sha256 = $dataset_sha256
),
held AS (
    SELECT
        release,
        conversation,
        ingestion_id,
        memory_key,
        list(DISTINCT dia_id ORDER BY dia_id) AS dia_ids,
        any_value(traced_by) AS traced_by
    FROM memory_turns
    SEMI JOIN asked USING (release, conversation)
    GROUP BY release, conversation, ingestion_id, memory_key
)
SELECT
    a.conversation,
    a.question_index,
    r.rank,
    r.memory,
    coalesce(h.dia_ids, []) AS dia_ids,
    h.traced_by
FROM asked AS a
JOIN retrieved_memories AS r
    ON
        r.release = a.release
        AND r.conversation = a.conversation
        AND r.attempt_id = a.attempt_id
        AND r.answer_id = a.answer_id
LEFT JOIN held AS h
    ON
        h.release = a.release
        AND h.conversation = a.conversation
        AND h.ingestion_id IS NOT DISTINCT FROM a.ingestion_id
        AND h.memory_key = coalesce(r.memory_id, md5(r.memory))
ORDER BY a.conversation, a.question_index, r.rank
