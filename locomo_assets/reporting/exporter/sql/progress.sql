-- How many conversations of a release reached each stage, and when the last one was judged.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    count(DISTINCT conversation) FILTER (asset = 'ingested_memories') AS ingested,
    count(DISTINCT conversation) FILTER (asset = 'answers') AS answered,
    count(DISTINCT conversation) FILTER (asset = 'judgements') AS judged,
    epoch(max(committed_at) FILTER (asset = 'judgements')) AS last_success_s
FROM attempts
WHERE
    list_contains($releases::VARCHAR[], release)
    AND asset IN ('ingested_memories', 'answers', 'judgements')
GROUP BY ALL
ORDER BY ALL
