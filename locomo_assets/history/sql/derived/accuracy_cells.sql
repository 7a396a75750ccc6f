-- Every count and rate, per release, system, question protocol and judge: over all scored
-- categories, by category, by conversation, and by both. Category 5 has cells of its own.
-- Before any verdict the judge is null. `not_judged` counts answers this judge has not seen yet.
-- `error_share` is the share of questions without a verdict (unscored, unanswered, not judged);
-- the reader decides how much of it is acceptable.
WITH touched AS (
    SELECT DISTINCT release FROM touched_partitions
),
answers_of_release AS (
    SELECT * FROM current_answers SEMI JOIN touched USING (release)
),
verdicts_of_release AS (
    SELECT * FROM current_judgements SEMI JOIN touched USING (release)
),
judges AS (
    SELECT DISTINCT dataset_sha256, release, system, question_protocol, judge
    FROM verdicts_of_release
),
outcomes AS (
    SELECT
        a.dataset_sha256,
        a.release,
        a.system,
        a.question_protocol,
        judges.judge,
        a.category,
        a.category <> 5 AS counts_in_score,
        a.conversation,
        a.outcome,
        j.verdict,
        a.latency_ms,
        a.input_tokens,
        a.output_tokens,
        a.cost_usd,
        j.judge_cost_usd,
        j.judgement_id
    FROM answers_of_release AS a
    LEFT JOIN judges
        ON
            a.dataset_sha256 = judges.dataset_sha256
            AND a.release = judges.release
            AND a.system IS NOT DISTINCT FROM judges.system
            AND a.question_protocol = judges.question_protocol
    LEFT JOIN verdicts_of_release AS j
        ON
            j.judge = judges.judge
            AND j.release = a.release
            AND j.conversation = a.conversation
            AND j.question_index = a.question_index
            AND j.answer_id = a.answer_id
),
cells AS (
    SELECT
        dataset_sha256,
        release,
        system,
        question_protocol,
        judge,
        counts_in_score,
        CASE WHEN grouping(category) = 0 THEN category END AS category,
        CASE WHEN grouping(conversation) = 0 THEN conversation END AS conversation,
        count(*) AS questions,
        count(*) FILTER (outcome = 'answered') AS answered,
        count(*) FILTER (verdict IN ('correct', 'wrong')) AS scored,
        count(*) FILTER (verdict = 'correct') AS correct,
        count(*) FILTER (verdict = 'wrong') AS wrong,
        count(*) FILTER (verdict = 'unscored') AS unscored,
        count(*) FILTER (
            verdict = 'unanswered' OR (verdict IS NULL AND outcome = 'unanswered')
        ) AS unanswered,
        count(*) FILTER (outcome = 'answered' AND verdict IS NULL) AS not_judged,
        quantile_cont(latency_ms, [0.5, 0.95]) FILTER (outcome = 'answered') AS latencies_ms,
        sum(input_tokens)::BIGINT AS input_tokens,
        sum(output_tokens)::BIGINT AS output_tokens,
        sum(cost_usd) AS answer_cost_usd,
        count(*) FILTER (cost_usd IS NULL) AS answers_of_unknown_cost,
        sum(judge_cost_usd) AS judge_cost_usd,
        count(*) FILTER (judgement_id IS NOT NULL AND judge_cost_usd IS NULL)
            AS verdicts_of_unknown_cost
    FROM outcomes
    GROUP BY
        dataset_sha256,
        release,
        system,
        question_protocol,
        judge,
        counts_in_score,
        GROUPING SETS ((), (category), (conversation), (category, conversation))
)
SELECT
    dataset_sha256,
    release,
    system,
    question_protocol,
    judge,
    counts_in_score,
    category,
    conversation,
    questions,
    answered,
    scored,
    correct,
    wrong,
    unscored,
    unanswered,
    not_judged,
    (questions - scored) / questions AS error_share,
    CASE WHEN scored > 0 THEN correct / scored END AS accuracy,
    correct / questions AS accuracy_if_rest_wrong,
    (questions - wrong) / questions AS accuracy_if_rest_right,
    wilson_low(correct, scored) AS accuracy_low,
    wilson_high(correct, scored) AS accuracy_high,
    latencies_ms[1] AS latency_p50_ms,
    latencies_ms[2] AS latency_p95_ms,
    input_tokens,
    output_tokens,
    answer_cost_usd,
    answers_of_unknown_cost,
    judge_cost_usd,
    verdicts_of_unknown_cost
FROM cells
ORDER BY
    release, system, question_protocol, judge, conversation NULLS FIRST, category NULLS FIRST
