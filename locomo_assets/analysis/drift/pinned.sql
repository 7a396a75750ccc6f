-- Which release is the pinned baseline, which were stopped in this series before all was asked, and
-- when each came out or was first measured.
SELECT
    release,
    coalesce(published_at, first_measured_at) AS released_at,
    release IN (SELECT release FROM current_baseline) AS pinned,
    release IN (
        SELECT release
        FROM stopped_releases
        WHERE
            coalesce(system, 'unknown') = $system
            AND question_protocol = $question_protocol
            AND dataset_sha256 = $dataset_sha256
    ) AS stopped
FROM release_order
ORDER BY position
