-- How often each reason holds in a series, and how many of the wrong answers can't be traced.
SELECT
    reason,
    count(*) AS questions,
    count(*) FILTER (stage IS NULL OR stage = 'unknown') AS untraceable
FROM diagnosis
WHERE
    release = $release
    AND coalesce(system, 'unknown') = $system
    AND judge = $judge
    AND question_protocol = $question_protocol
    AND dataset_sha256 = $dataset_sha256
    AND category <> 5
GROUP BY reason
