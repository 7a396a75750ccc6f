-- What was checked of a release's label, and one reason of the worst verdict.
SELECT
    release_check,
    conversations_changed,
    refusals,
    (
        SELECT any_value(reason)
        FROM release_verdicts
        WHERE release = $release AND verdict = release_check
    ) AS reason
FROM release_status
WHERE release = $release
