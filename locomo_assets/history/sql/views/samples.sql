-- Samples: a few questions, the same each day, asked of a memory that a full run ingested. No other
-- accuracy view includes them, because their mix of categories and conversations differs.
CREATE VIEW sample_results AS
WITH asked AS (
    SELECT
        answers.*,
        committed_at
    FROM answers
    JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
    WHERE kind = 'sample'
    QUALIFY row_number() OVER (
        PARTITION BY
            release, conversation, dataset_sha256, question_index, system, question_protocol,
            sample_id
        ORDER BY
            committed_at DESC, attempt_id DESC, outcome = 'answered' DESC, asked_at, answer_id DESC
    ) = 1
),
verdicts AS (
    SELECT
        judgements.release,
        judgements.conversation,
        answer_id,
        judge,
        arg_max(
            struct_pack(verdict := verdict, reasoning := reasoning, cost_usd := cost_usd),
            (committed_at, attempt_id, verdict <> 'unscored', -epoch_us(judged_at), judgement_id)
        ) AS given
    FROM judgements
    JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
    WHERE kind = 'sample'
    GROUP BY judgements.release, judgements.conversation, answer_id, judge
)
SELECT
    a.release,
    a.sample_id,
    a.conversation,
    a.question_index,
    a.category,
    a.system,
    a.question_protocol,
    v.judge,
    a.dataset_sha256,
    a.question,
    a.outcome,
    a.answer,
    v.given.verdict AS verdict,
    v.given.reasoning AS reasoning,
    a.latency_ms,
    a.cost_usd,
    v.given.cost_usd AS judge_cost_usd,
    a.asked_at,
    a.answer_id,
    a.ingestion_id
FROM asked AS a
LEFT JOIN verdicts AS v USING (release, conversation, answer_id);

CREATE VIEW sample_trend AS
WITH memories_of AS (
    SELECT ingestion_id, any_value(release) AS memory_of
    FROM ingestions
    GROUP BY ingestion_id
),
counted AS (
    SELECT
        release,
        sample_id,
        system,
        question_protocol,
        judge,
        dataset_sha256,
        string_agg(DISTINCT memory_of, ', ' ORDER BY memory_of) AS memory_of,
        min(asked_at) AS asked_at,
        count(*) AS questions,
        count(*) FILTER (verdict IN ('correct', 'wrong')) AS scored,
        count(*) FILTER (verdict = 'correct') AS correct,
        (questions - scored) / questions AS error_share,
        CASE WHEN scored > 0 THEN correct / scored END AS accuracy,
        correct / questions AS accuracy_if_rest_wrong,
        (questions - scored + correct) / questions AS accuracy_if_rest_right,
        wilson_low(correct, scored) AS accuracy_low,
        wilson_high(correct, scored) AS accuracy_high,
        quantile_cont(latency_ms, 0.5) FILTER (outcome = 'answered') AS latency_p50_ms,
        sum(cost_usd) AS answer_cost_usd,
        sum(judge_cost_usd) AS judge_cost_usd
    FROM sample_results
    LEFT JOIN memories_of USING (ingestion_id)
    GROUP BY release, sample_id, system, question_protocol, judge, dataset_sha256
)
SELECT
    *,
    accuracy - lag(accuracy) OVER (
        PARTITION BY sample_id, system, question_protocol, judge, dataset_sha256
        ORDER BY asked_at
    ) AS accuracy_change
FROM counted;
