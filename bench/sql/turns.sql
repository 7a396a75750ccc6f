-- From one message of a conversation to the next, median and mean in seconds; how many messages;
-- how often their memory operations were looked at.
WITH sent AS (
    SELECT
        started_at,
        lead(started_at) OVER (PARTITION BY conversation ORDER BY started_at) AS next_at
    FROM calls
    WHERE asset = 'ingested_memories' AND endpoint = 'POST /threads/{id}/messages'
)
SELECT
    median(epoch(next_at) - epoch(started_at)),
    avg(epoch(next_at) - epoch(started_at)),
    count(*),
    (SELECT count(*) FROM calls WHERE endpoint LIKE 'GET %/operations/{id}')
FROM sent
