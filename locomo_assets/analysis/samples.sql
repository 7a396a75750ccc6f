-- The samples, newest first, a row per series, with (scored, correct) of each conversation.
WITH counted AS (
    SELECT
        release,
        sample_id,
        system,
        question_protocol,
        judge,
        dataset_sha256,
        conversation,
        count(*) AS scored,
        count(*) FILTER (verdict = 'correct') AS correct
    FROM sample_results
    WHERE verdict IN ('correct', 'wrong')
    GROUP BY ALL
),
conversations AS (
    SELECT
        release,
        sample_id,
        system,
        question_protocol,
        judge,
        dataset_sha256,
        list((scored, correct) ORDER BY conversation) AS by_conversation
    FROM counted
    GROUP BY ALL
)
SELECT
    release,
    sample_id,
    coalesce(system, 'unknown') AS system,
    coalesce(judge, 'not judged') AS judge,
    question_protocol,
    questions,
    scored,
    correct,
    100 * error_share AS error_percent,
    round(100 * accuracy, 2) AS accuracy_percent,
    round(100 * accuracy_low, 2) AS low_percent,
    round(100 * accuracy_high, 2) AS high_percent,
    round(100 * accuracy_change, 2) AS change_points,
    round(latency_p50_ms, 1) AS latency_p50_ms,
    coalesce(answer_cost_usd, 0) + coalesce(judge_cost_usd, 0) AS cost_usd,
    coalesce(memory_of, 'none') AS memory_of,
    coalesce(by_conversation, []) AS by_conversation,
    round(100 * accuracy_if_rest_wrong, 2) AS if_missing_wrong_percent,
    round(100 * accuracy_if_rest_right, 2) AS if_missing_right_percent
FROM sample_trend
LEFT JOIN conversations
    USING (release, sample_id, system, question_protocol, judge, dataset_sha256)
ORDER BY asked_at DESC, system, judge, question_protocol
