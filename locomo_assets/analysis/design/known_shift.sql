-- The share correct of each repeat of one release by one judge, on the questions that all its
-- repeats have scored.
WITH scored AS (
    SELECT conversation, question_index, repeat, verdict = 'correct' AS correct
    FROM repeats
    WHERE
        release = $release
        AND judge = $judge
        AND question_protocol = $question_protocol
        AND system = $system
        AND category <> 5
        AND verdict IN ('correct', 'wrong')
),
in_all AS (
    SELECT conversation, question_index
    FROM scored
    GROUP BY conversation, question_index
    HAVING count(*) = (SELECT max(repeat) FROM scored)
)
SELECT avg(correct::DOUBLE) AS accuracy, count(*) AS questions
FROM scored SEMI JOIN in_all USING (conversation, question_index)
GROUP BY repeat
ORDER BY repeat;
