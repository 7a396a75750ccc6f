-- How a release was checked against its feed, and one reason for the worst verdict.
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
