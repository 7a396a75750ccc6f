-- The accuracy of a series in each conversation, in some releases. The interval is Wilson's.
SELECT
    release,
    conversation,
    scored,
    correct,
    round(100 * accuracy, 2) AS accuracy_percent,
    round(100 * accuracy_low, 2) AS low_percent,
    round(100 * accuracy_high, 2) AS high_percent
FROM accuracy_by_conversation
WHERE
    list_contains($releases, release)
    AND coalesce(system, 'unknown') = $system
    AND question_protocol = $question_protocol
    AND judge = $judge
    AND dataset_sha256 = $dataset_sha256
ORDER BY release, conversation
