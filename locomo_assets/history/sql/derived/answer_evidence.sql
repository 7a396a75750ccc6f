-- How far the evidence of each current answer came: stored, retrieved, or lost before. Null is not
-- known. That a turn is in no memory is known where memories can be traced, or where its operation
-- failed or timed out; that it was not retrieved, where a memory is known to hold it or not to,
-- where nothing was retrieved, or where all that was can be traced.
WITH answers_touched AS (
    -- By its row an answer is grouped and joined more cheaply than by three columns of text.
    SELECT
        *,
        rowid AS answer_row,
        memory_mode IS NOT DISTINCT FROM 'off' AS memory_is_off,
        question_protocol IN ('full-context', 'evidence-only') AS evidence_is_given
    FROM current_answers
    SEMI JOIN touched_partitions USING (release, conversation)
),
holding AS (
    SELECT * FROM memory_turns SEMI JOIN touched_partitions USING (release, conversation)
),
retrieved AS (
    SELECT
        a.answer_row,
        r.rank,
        h.dia_id
    FROM answers_touched AS a
    JOIN retrieved_memories AS r
        ON
            r.release = a.release
            AND r.conversation = a.conversation
            AND r.attempt_id = a.attempt_id
            AND r.answer_id = a.answer_id
    LEFT JOIN holding AS h
        ON
            h.release = a.release
            AND h.conversation = a.conversation
            AND h.ingestion_id IS NOT DISTINCT FROM a.ingestion_id
            AND h.memory_key = coalesce(r.memory_id, md5(r.memory))
),
traced AS (
    SELECT
        answer_row,
        count(DISTINCT rank) AS listed,
        count(DISTINCT rank) FILTER (dia_id IS NOT NULL) AS memories_traced
    FROM retrieved
    GROUP BY ALL
),
ranks AS (
    SELECT answer_row, dia_id, min(rank) AS retrieved_rank
    FROM retrieved
    WHERE dia_id IS NOT NULL
    GROUP BY ALL
),
kept AS (
    SELECT DISTINCT release, conversation, ingestion_id, memory_id AS memory_key
    FROM memories
    SEMI JOIN touched_partitions USING (release, conversation)
),
listings AS (
    SELECT DISTINCT release, conversation, ingestion_id, true AS is_listed FROM kept
),
stored AS (
    SELECT DISTINCT release, conversation, ingestion_id, dia_id
    FROM holding
    LEFT JOIN listings USING (release, conversation, ingestion_id)
    LEFT JOIN (SELECT *, true AS is_kept FROM kept) AS kept
        USING (release, conversation, ingestion_id, memory_key)
    WHERE is_kept OR is_listed IS NULL
),
operations AS (
    SELECT
        release,
        conversation,
        ingestion_id,
        dia_id,
        arg_max(status, (status = 'completed', ended_at)) AS status
    FROM memory_operations
    SEMI JOIN touched_partitions USING (release, conversation)
    GROUP BY ALL
),
-- What is in no memory of these ingestions was never stored: their operations name memories, or at
-- least half of the memories that were listed are known to hold some turn.
telling AS (
    SELECT release, conversation, ingestion_id, true AS tells
    FROM memory_operations
    SEMI JOIN touched_partitions USING (release, conversation)
    WHERE len(memory_ids) > 0
    UNION
    SELECT release, conversation, ingestion_id, true
    FROM kept
    LEFT JOIN (SELECT DISTINCT * EXCLUDE (dia_id, traced_by), true AS is_held FROM holding)
        USING (release, conversation, ingestion_id, memory_key)
    GROUP BY release, conversation, ingestion_id
    HAVING count(is_held) >= count(*) / 2
),
pointed AS (
    SELECT
        a.release,
        a.conversation,
        a.answer_row,
        a.ingestion_id,
        a.retrieved,
        a.memory_is_off,
        a.evidence_is_given,
        unnest(q.evidence) AS dia_id,
        generate_subscripts(q.evidence, 1) AS place
    FROM answers_touched AS a
    JOIN current_questions AS q USING (dataset_sha256, conversation, question_index)
),
pieces AS (
    SELECT
        p.answer_row,
        p.place,
        p.dia_id,
        CASE WHEN NOT p.memory_is_off THEN o.status END AS operation_status,
        CASE
            WHEN p.memory_is_off THEN NULL
            WHEN ranks.retrieved_rank IS NOT NULL OR s.dia_id IS NOT NULL THEN true
            WHEN telling.tells OR o.status <> 'completed' THEN false
        END AS stored,
        CASE
            WHEN p.evidence_is_given THEN true
            WHEN p.memory_is_off THEN NULL
            WHEN ranks.retrieved_rank IS NOT NULL THEN true
            WHEN p.retrieved = 0 OR traced.memories_traced = p.retrieved THEN false
            -- Lost or untraced memories might hold it, unless those that do are known.
            WHEN traced.listed = p.retrieved AND (s.dia_id IS NOT NULL OR telling.tells) THEN false
        END AS retrieved,
        ranks.retrieved_rank
    FROM pointed AS p
    LEFT JOIN ranks USING (answer_row, dia_id)
    LEFT JOIN traced USING (answer_row)
    LEFT JOIN stored AS s USING (release, conversation, ingestion_id, dia_id)
    LEFT JOIN operations AS o USING (release, conversation, ingestion_id, dia_id)
    LEFT JOIN telling USING (release, conversation, ingestion_id)
),
gathered AS (
    SELECT
        answer_row,
        list(
            {
                dia_id: dia_id,
                operation_status: operation_status,
                stored: stored,
                retrieved: retrieved,
                retrieved_rank: retrieved_rank
            } ORDER BY place
        ) AS evidence,
        count(*) AS evidence_turns,
        CASE WHEN count(stored) = count(*) THEN count(*) FILTER (stored) END AS evidence_stored,
        CASE WHEN count(retrieved) = count(*) THEN count(*) FILTER (retrieved) END
            AS evidence_retrieved,
        min(retrieved_rank) AS first_rank
    FROM pieces
    GROUP BY ALL
),
diagnosed AS (
    SELECT
        a.*,
        g.* EXCLUDE (answer_row),
        traced.memories_traced,
        CASE WHEN a.outcome = 'answered' THEN
            diagnose_answer(a.category, q.gold_answer, a.answer, g.evidence, a.memory_is_off)
        END AS finding
    FROM answers_touched AS a
    LEFT JOIN current_questions AS q USING (dataset_sha256, conversation, question_index)
    LEFT JOIN gathered AS g USING (answer_row)
    LEFT JOIN traced USING (answer_row)
)
SELECT
    release,
    conversation,
    question_index,
    category,
    system,
    question_protocol,
    dataset_sha256,
    answer_id,
    ingestion_id,
    coalesce(evidence_turns, 0) AS evidence_turns,
    evidence_stored,
    evidence_retrieved,
    first_rank,
    CASE WHEN NOT memory_is_off THEN retrieved END AS memories_retrieved,
    CASE WHEN NOT memory_is_off THEN coalesce(memories_traced, 0) END AS memories_traced,
    finding.stage AS stage,
    finding.declined AS declined,
    finding.contains_gold AS contains_gold,
    coalesce(evidence, []) AS evidence,
    finding.reason AS reason_if_wrong,
    finding.detail AS detail_if_wrong
FROM diagnosed
ORDER BY release, system, question_protocol, conversation, question_index
