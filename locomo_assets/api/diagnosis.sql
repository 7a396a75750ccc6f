-- The view `diagnosis` of one series of a release.
SELECT *
FROM diagnosis
WHERE
    release = $release
    AND coalesce(system, 'unknown') = $system
    AND judge = $judge
    AND question_protocol = $question_protocol
    AND dataset_sha256 = $dataset_sha256
ORDER BY conversation, question_index;
