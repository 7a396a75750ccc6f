-- How often each reason holds in each series of a release (NULL: of all), and how many of the wrong
-- answers can't be traced.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    judge,
    question_protocol,
    dataset_sha256,
    reason,
    count(*) AS questions,
    count(*) FILTER (stage IS NULL OR stage = 'unknown') AS untraceable
FROM diagnosis
WHERE ($release IS NULL OR release = $release) AND category <> 5
GROUP BY ALL
