-- The day by which `release_order` places a release: published, else first measured. To judge
-- imported answers dates nothing.
SELECT
    release,
    (
        coalesce(published_at, if(source = 'imported', NULL, first_measured_at)) AT TIME ZONE 'UTC'
    )::DATE AS released_on
FROM release_order
