-- Fingerprint → the place of the last of these attempts in which it has a verdict that counts.
WITH listed AS (
    SELECT
        unnest($attempts) AS attempt_id,
        generate_subscripts($attempts, 1) - 1 AS place
)
SELECT
    fingerprint,
    max(place)
FROM listed
JOIN judgements USING (attempt_id)
WHERE verdict IN ('correct', 'wrong') AND fingerprint IS NOT NULL
GROUP BY fingerprint
