-- Of the releases in $releases, the share of correct answers by conversation, on the questions that
-- all of them have scored. A question that was measured several times counts with its mean.
WITH shares AS (
    SELECT
        release,
        conversation,
        question_index,
        avg((verdict = 'correct')::INTEGER) AS share
    FROM repeats
    WHERE
        list_contains($releases::VARCHAR[], release)
        AND coalesce(system, 'unknown') = $system
        AND question_protocol = $question_protocol
        AND judge = $judge
        AND dataset_sha256 = $dataset_sha256
        AND category <> 5
        AND verdict IN ('correct', 'wrong')
    GROUP BY ALL
),
shared AS (
    SELECT conversation, question_index
    FROM shares
    GROUP BY ALL
    HAVING count(*) = len($releases::VARCHAR[])
)
SELECT
    conversation,
    count(*) AS questions,
    release,
    avg(share) AS share
FROM shares
SEMI JOIN shared USING (conversation, question_index)
GROUP BY ALL
ORDER BY conversation
