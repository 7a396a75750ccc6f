-- Every scored repeat of a series' questions.
SELECT conversation, question_index, repeat, verdict = 'correct' AS correct, ingestion_id
FROM repeats
WHERE
    release = $release
    AND coalesce(system, 'unknown') = $system
    AND question_protocol = $question_protocol
    AND judge = $judge
    AND dataset_sha256 = $dataset_sha256
    AND verdict IN ('correct', 'wrong')
