-- The pinned baseline, if there is one, and when each release came out or was first measured.
SELECT
    release,
    coalesce(published_at, first_measured_at) AS released_at,
    release IN (SELECT release FROM current_baseline) AS pinned
FROM release_order
ORDER BY position
