-- The answers of one series of a release.
SELECT answer
FROM current_answers
WHERE
    release = $release
    AND coalesce(system, 'unknown') = $system
    AND question_protocol = $question_protocol
    AND dataset_sha256 = $dataset_sha256
    AND outcome = 'answered'
    AND answer IS NOT NULL  -- an import may bring verdicts alone
ORDER BY conversation, question_index
