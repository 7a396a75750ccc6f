-- One row per question of each data set file, from the newest attempt.
SELECT
    dataset_sha256,
    conversation,
    question_index,
    category,
    question,
    gold_answer,
    adversarial_answer,
    evidence,
    evidence_unresolved
FROM questions
JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
QUALIFY row_number() OVER (
    PARTITION BY dataset_sha256, conversation, question_index
    ORDER BY committed_at DESC, attempt_id DESC
) = 1
ORDER BY dataset_sha256, conversation, question_index
