-- Adding or removing a release moves the positions of others, so all are recomputed each time.
WITH published AS (
    SELECT
        release,
        arg_max(published_at, (registered_at, attempt_id)) AS published_at,
        arg_max(source, (registered_at, attempt_id)) AS source
    FROM releases
    WHERE kind IS DISTINCT FROM 'sample'
    GROUP BY release
),
measured AS (
    SELECT
        release,
        min(begun_at) AS first_measured_at,
        max(committed_at) AS last_measured_at
    FROM attempts
    WHERE
        release IS NOT NULL
        AND asset NOT IN ('releases', 'imported_results', 'release_checks', 'damaged_ingestions', 'pinned_baselines', 'stopped_runs', 'ladder')
        AND kind IS DISTINCT FROM 'sample'
    GROUP BY release
)
SELECT
    row_number() OVER (
        -- What was measured elsewhere at an unknown time is never between two of ours; what is
        -- known of its order are the versions.
        ORDER BY
            source IS NOT DISTINCT FROM 'imported' AND published_at IS NULL DESC,
            -- To judge imported answers dates nothing.
            coalesce(published_at, if(source = 'imported', NULL, first_measured_at)) NULLS LAST,
            version_key(release),
            release
    ) AS position,
    release,
    published_at,
    source,
    first_measured_at,
    last_measured_at
FROM published
FULL JOIN measured USING (release)
ORDER BY position
