-- The flips of two series; the columns are the fields of `comparison.Flip`.
SELECT
    conversation,
    question_index,
    category,
    flip,
    question,
    gold_answer,
    answer_a,
    answer_b,
    reasoning_a,
    reasoning_b,
    evidence,
    retrieved_a,
    retrieved_b
FROM flip_details($a, $b)
WHERE
    judge = $judge
    AND question_protocol = $question_protocol
    AND coalesce(system_a, 'unknown') = $system_a
    AND coalesce(system_b, 'unknown') = $system_b
    AND dataset_sha256_a = $dataset_a
    AND dataset_sha256_b = $dataset_b
ORDER BY category, conversation, question_index
