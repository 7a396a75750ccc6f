-- How often the judge was asked again about one answer of a series: pairs of verdicts on it, and
-- how many of them disagree. A verdict that was taken over from an equal answer is no new one.
WITH given AS (
    SELECT conversation, answer_id, attempt_id, arg_min(verdict, judged_at) = 'correct' AS correct
    FROM judgements
    WHERE
        release = $release
        AND coalesce(system, 'unknown') = $system
        AND question_protocol = $question_protocol
        AND judge = $judge
        AND dataset_sha256 = $dataset_sha256
        AND verdict IN ('correct', 'wrong')
        AND reused_from_judgement_id IS NULL
    GROUP BY conversation, answer_id, attempt_id
),
answers_judged AS (
    SELECT count(*) AS times, count(*) FILTER (correct) AS times_correct
    FROM given
    GROUP BY conversation, answer_id
)
SELECT
    coalesce(sum(times * (times - 1) / 2), 0)::BIGINT AS pairs,
    coalesce(sum(times_correct * (times - times_correct)), 0)::BIGINT AS flips
FROM answers_judged
