-- The newest releases that were measured here, newest first.
SELECT release
FROM release_order
WHERE last_measured_at IS NOT NULL
ORDER BY position DESC
LIMIT $newest
