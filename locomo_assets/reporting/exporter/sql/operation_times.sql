-- How many memory operations took at most each bound, a row a bound; the bound NULL counts all.
-- Only operations of ingestions that current answers use.
WITH used AS (
    SELECT DISTINCT ingestion_id FROM current_answers
    WHERE ingestion_id IS NOT NULL AND list_contains($releases::VARCHAR[], release)
)
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    coalesce(status, 'unknown') AS status,
    bound,
    count(*) FILTER (bound IS NULL OR wait_ms <= 1000 * bound) AS within,
    sum(wait_ms) / 1000 AS total_s
FROM memory_operations
CROSS JOIN (SELECT unnest($bounds::DOUBLE[]) AS bound)
WHERE wait_ms IS NOT NULL AND ingestion_id IN (FROM used)
GROUP BY ALL
ORDER BY ALL
