-- The verdicts of a series in some releases.
SELECT release, conversation, question_index, verdict
FROM current_judgements
WHERE
    list_contains($releases, release)
    AND coalesce(system, 'unknown') = $system
    AND question_protocol = $question_protocol
    AND judge = $judge
    AND dataset_sha256 = $dataset_sha256
