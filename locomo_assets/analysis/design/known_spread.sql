-- The two releases measured last by one judge on the same questions: of each conversation, the
-- questions that both have scored and the sum of their changes.
WITH verdicts AS (
    SELECT
        release,
        conversation,
        question_index,
        judge,
        dataset_sha256,
        (verdict = 'correct')::INT AS correct,
        max(judged_at) OVER (PARTITION BY release, judge, dataset_sha256) AS judged_last
    FROM current_judgements
    WHERE
        category <> 5
        AND verdict IN ('correct', 'wrong')
        AND question_protocol = $question_protocol
        AND system = $system
),
pairs AS (
    SELECT
        a.release AS earlier,
        b.release AS later,
        a.judge,
        a.dataset_sha256,
        a.conversation,
        b.correct - a.correct AS change,
        (b.judged_last, a.judged_last) AS measured
    FROM verdicts AS a
    JOIN verdicts AS b USING (judge, dataset_sha256, conversation, question_index)
    WHERE (a.judged_last, a.release) < (b.judged_last, b.release)
)
SELECT earlier, later, conversation, count(*) AS questions, sum(change)::BIGINT AS changes
FROM pairs
QUALIFY true
GROUP BY earlier, later, judge, dataset_sha256, conversation, measured
ORDER BY measured DESC, judge, dataset_sha256, conversation;
