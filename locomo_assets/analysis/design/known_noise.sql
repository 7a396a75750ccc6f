-- For each conversation and series with repeats: how often two repeats disagree, newest series
-- first. A question with c of n repeats correct has 2c(n − c) / n(n − 1) disagreeing pairs.
WITH by_question AS (
    SELECT
        release,
        system,
        question_protocol,
        judge,
        dataset_sha256,
        conversation,
        question_index,
        count(*) AS repeats,
        count(*) FILTER (verdict = 'correct') AS correct,
        max(committed_at) AS committed_at
    FROM repeats
    WHERE category <> 5 AND verdict IN ('correct', 'wrong')
    GROUP BY ALL
    HAVING count(*) > 1
)
SELECT
    release,
    judge,
    count(*) AS questions,
    max(repeats) AS repeats,
    avg(2 * correct * (repeats - correct) / (repeats * (repeats - 1))) AS flip_rate
FROM by_question
WHERE question_protocol = $question_protocol AND system = $system
GROUP BY release, judge, dataset_sha256
ORDER BY max(committed_at) DESC, release, judge
LIMIT 1;
