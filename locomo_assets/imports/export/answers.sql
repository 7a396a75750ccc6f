-- The current answers of a release with the memories retrieved for each, best first, and the data
-- set's texts. A row that is of a single answer is one line or several of an export.
WITH memories AS (
    SELECT
        r.attempt_id,
        r.answer_id,
        list({memory: r.memory, memory_id: r.memory_id, score: r.score} ORDER BY r.rank)
            AS memories
    FROM retrieved_memories AS r
    WHERE r.release = $release
    GROUP BY ALL
),
prompts AS (
    SELECT
        attempt_id,
        answer_id,
        any_value(prompt_name) AS prompt_name,
        any_value(prompt_sha256) AS prompt_sha256
    FROM answers
    WHERE release = $release
    GROUP BY ALL
)
SELECT
    a.*,
    p.prompt_name,
    p.prompt_sha256,
    m.memories,
    q.question AS question_text,
    q.gold_answer AS golden_answer
FROM current_answers AS a
LEFT JOIN memories AS m USING (attempt_id, answer_id)
LEFT JOIN prompts AS p USING (attempt_id, answer_id)
LEFT JOIN current_questions AS q USING (dataset_sha256, conversation, question_index)
WHERE a.release = $release
ORDER BY a.dataset_sha256, a.system, a.question_protocol, a.conversation, a.question_index
