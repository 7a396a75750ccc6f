-- The questions whose verdict changed between two sides, with everything known on both. A side is a
-- release, its question protocol and its judge; NULL for these four: any, but equal on both sides.
CREATE MACRO flips_between(
    release_a, question_protocol_a, judge_a, release_b, question_protocol_b, judge_b
) AS TABLE
WITH changed AS (
    SELECT
        a.release AS release_a,
        b.release AS release_b,
        a.conversation,
        a.question_index,
        a.category,
        CASE WHEN b.verdict = 'correct' THEN 'gained' ELSE 'lost' END AS flip,
        a.judge,
        a.question_protocol,
        a.question,
        a.gold_answer,
        a.system AS system_a,
        b.system AS system_b,
        a.dataset_sha256 AS dataset_sha256_a,
        b.dataset_sha256 AS dataset_sha256_b,
        a.answer AS answer_a,
        b.answer AS answer_b,
        a.verdict AS verdict_a,
        b.verdict AS verdict_b,
        a.reasoning AS reasoning_a,
        b.reasoning AS reasoning_b,
        a.judgement_id AS judgement_id_a,
        b.judgement_id AS judgement_id_b
    FROM current_judgements AS a
    JOIN current_judgements AS b
        ON
            a.conversation = b.conversation
            AND a.question_index = b.question_index
            AND CASE
                WHEN judge_a IS NULL THEN a.judge = b.judge
                ELSE a.judge = judge_a AND b.judge = judge_b
            END
            AND CASE
                WHEN question_protocol_a IS NULL THEN a.question_protocol = b.question_protocol
                ELSE
                    a.question_protocol = question_protocol_a
                    AND b.question_protocol = question_protocol_b
            END
            AND a.question = b.question
            AND a.gold_answer IS NOT DISTINCT FROM b.gold_answer
    WHERE
        a.release = release_a
        AND b.release = release_b
        AND a.verdict <> b.verdict
        AND a.verdict IN ('correct', 'wrong')
        AND b.verdict IN ('correct', 'wrong')
),
sides AS (
    SELECT judgement_id, answer_id, answer_attempt_id AS attempt_id, ingestion_id
    FROM current_judgements
    WHERE
        (release = release_a AND judgement_id IN (SELECT judgement_id_a FROM changed))
        OR (release = release_b AND judgement_id IN (SELECT judgement_id_b FROM changed))
),
turns_of_memory AS (
    SELECT ingestion_id, memory_id, list(DISTINCT dia_id ORDER BY dia_id) AS dia_ids
    FROM (
        SELECT ingestion_id, unnest(memory_ids) AS memory_id, dia_id
        FROM memory_operations
        SEMI JOIN sides USING (ingestion_id)
    )
    GROUP BY ingestion_id, memory_id
),
retrieved AS (
    SELECT
        judgement_id,
        list(
            {rank: rank, memory_id: memory_id, memory: memory, score: score, dia_ids: dia_ids}
            ORDER BY rank
        ) AS memories
    FROM sides
    JOIN retrieved_memories USING (attempt_id, answer_id)
    LEFT JOIN turns_of_memory USING (ingestion_id, memory_id)
    GROUP BY judgement_id
),
places AS (
    SELECT DISTINCT dataset_sha256_a AS dataset_sha256, conversation, question_index FROM changed
),
said AS (
    SELECT dataset_sha256, conversation, dia_id, any_value(speaker) AS speaker, any_value(text) AS text
    FROM turns
    SEMI JOIN places USING (dataset_sha256, conversation)
    GROUP BY dataset_sha256, conversation, dia_id
),
pointed AS (
    SELECT
        dataset_sha256,
        conversation,
        question_index,
        unnest(evidence) AS dia_id,
        generate_subscripts(evidence, 1) AS place
    FROM current_questions
    SEMI JOIN places USING (dataset_sha256, conversation, question_index)
),
shown AS (
    SELECT
        dataset_sha256,
        conversation,
        question_index,
        list({dia_id: dia_id, speaker: speaker, text: text} ORDER BY place) AS evidence
    FROM pointed
    LEFT JOIN said USING (dataset_sha256, conversation, dia_id)
    GROUP BY dataset_sha256, conversation, question_index
)
SELECT
    changed.* EXCLUDE (judgement_id_a, judgement_id_b),
    coalesce(shown.evidence, []) AS evidence,
    coalesce(retrieved_a.memories, []) AS retrieved_a,
    coalesce(retrieved_b.memories, []) AS retrieved_b,
    judgement_id_a,
    judgement_id_b
FROM changed
LEFT JOIN shown
    ON
        shown.dataset_sha256 = dataset_sha256_a
        AND shown.conversation = changed.conversation
        AND shown.question_index = changed.question_index
LEFT JOIN retrieved AS retrieved_a ON retrieved_a.judgement_id = judgement_id_a
LEFT JOIN retrieved AS retrieved_b ON retrieved_b.judgement_id = judgement_id_b;

-- The questions whose verdict changed between two releases, with everything known on both sides.
-- Unlike in `flips`, the systems may differ, and so may the data sets if question and gold answer
-- are equal. `evidence` is from release_a's data set. A memory's dia_ids are the turns it came from.
CREATE MACRO flip_details(release_a, release_b) AS TABLE
FROM flips_between(release_a, NULL, NULL, release_b, NULL, NULL);
