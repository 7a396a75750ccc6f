-- Scores of each current answer beside the verdict: text scores, abstention on adversarial
-- questions, and which evidence turns the retrieved memories came from. Null means unknown or not
-- applicable: text scores without an answer; retrieval where memory was off, where the retrieved
-- memories were lost or none can be traced to turns, and for questions without evidence. A memory
-- that cannot be traced counts as holding no evidence.
WITH answers_touched AS (
    -- By its row an answer is grouped and joined more cheaply than by six columns of text.
    SELECT *, rowid AS answer_row
    FROM current_answers
    SEMI JOIN touched_partitions USING (release, conversation)
),
turns_of_memory AS (
    SELECT ingestion_id, unnest(memory_ids) AS memory_id, dia_id
    FROM memory_operations
    SEMI JOIN touched_partitions USING (release, conversation)
),
found AS (
    SELECT
        a.answer_row,
        r.rank,
        t.dia_id,
        list_contains(q.evidence, t.dia_id) AS is_evidence
    FROM answers_touched AS a
    JOIN retrieved_memories AS r
        ON
            r.release = a.release
            AND r.conversation = a.conversation
            AND r.attempt_id = a.attempt_id
            AND r.answer_id = a.answer_id
    LEFT JOIN turns_of_memory AS t
        ON t.ingestion_id = a.ingestion_id AND t.memory_id = r.memory_id
    LEFT JOIN current_questions AS q
        ON
            q.dataset_sha256 = a.dataset_sha256
            AND q.conversation = a.conversation
            AND q.question_index = a.question_index
),
retrieval AS (
    SELECT
        answer_row,
        count(DISTINCT rank) FILTER (dia_id IS NOT NULL) AS memories_traced,
        count(DISTINCT dia_id) FILTER (is_evidence AND rank <= 1) AS found_at_1,
        count(DISTINCT dia_id) FILTER (is_evidence AND rank <= 5) AS found_at_5,
        count(DISTINCT dia_id) FILTER (is_evidence AND rank <= 10) AS found_at_10,
        min(rank) FILTER (is_evidence) AS first_rank
    FROM found
    GROUP BY ALL
),
put_together AS (
    SELECT
        a.*,
        q.evidence,
        CASE WHEN a.outcome = 'answered' THEN
            text_scores(a.category, a.question, q.gold_answer, q.adversarial_answer, a.answer)
        END AS scores,
        CASE WHEN a.memory_mode IS DISTINCT FROM 'off' THEN a.retrieved END AS memories_retrieved,
        r.found_at_1,
        r.found_at_5,
        r.found_at_10,
        r.first_rank,
        CASE WHEN memories_retrieved IS NOT NULL THEN coalesce(r.memories_traced, 0) END
            AS memories_traced,
        a.outcome = 'answered'
        AND len(q.evidence) > 0
        AND (memories_traced > 0 OR memories_retrieved = 0) AS retrieval_is_known
    FROM answers_touched AS a
    LEFT JOIN current_questions AS q
        ON
            q.dataset_sha256 = a.dataset_sha256
            AND q.conversation = a.conversation
            AND q.question_index = a.question_index
    LEFT JOIN retrieval AS r ON r.answer_row = a.answer_row
)
SELECT
    release,
    conversation,
    question_index,
    category,
    system,
    question_protocol,
    dataset_sha256,
    outcome,
    scores.f1 AS f1,
    scores.exact_match AS exact_match,
    scores.abstention AS abstention,
    CASE WHEN outcome = 'answered' THEN len(regexp_extract_all(answer, '\S+')) END AS answer_words,
    len(evidence)::BIGINT AS evidence_turns,
    memories_retrieved,
    memories_traced,
    CASE WHEN retrieval_is_known THEN coalesce(found_at_1, 0) / len(evidence) END AS recall_at_1,
    CASE WHEN retrieval_is_known THEN coalesce(found_at_5, 0) / len(evidence) END AS recall_at_5,
    CASE WHEN retrieval_is_known THEN coalesce(found_at_10, 0) / len(evidence) END AS recall_at_10,
    CASE WHEN retrieval_is_known THEN coalesce(1 / first_rank, 0) END AS reciprocal_rank,
    CASE WHEN outcome = 'answered' THEN latency_ms END AS latency_ms,
    answer_id
FROM put_together
ORDER BY release, system, question_protocol, conversation, question_index
