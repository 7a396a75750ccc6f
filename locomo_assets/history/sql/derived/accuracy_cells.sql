-- Every count and rate, per release, system, question protocol and judge: over all scored
-- categories, by category, by conversation, and by both. Category 5 has cells of its own.
-- Before any verdict the judge is null. `not_judged` counts answers this judge has not seen yet.
-- `error_share` is the share of questions without a verdict (unscored, unanswered, not judged);
-- the reader decides how much of it is acceptable.
-- `question_set` names the questions asked: only cells of one set can be followed over releases.
-- Category 5 is not in the score's set, so asking it too changes nothing. `clustered_…` are of the
-- accuracy where the questions of a conversation depend on each other: CR2 and Bell–McCaffrey's
-- degrees of freedom, in closed form as in `analysis.intervals`. They are null with a single
-- conversation and where all conversations have the same accuracy: no spread is seen.
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
        a.question_index,
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
        left(md5(string_agg(
            conversation || ' ' || question_index, ',' ORDER BY conversation, question_index
        )), 12) AS question_set,
        count(DISTINCT conversation) AS conversations,
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
),
-- Each conversation beside all of them: its share of the scored questions, what that share makes
-- of the degrees of freedom, and how far its correct answers are from the common accuracy.
conversation_shares AS (
    SELECT
        *,
        scored / sum(scored) OVER cell AS share,
        share ^ 2 / (1 - share) AS leverage,
        sum(scored) OVER cell AS scored_in_all,
        correct - scored * sum(correct) OVER cell / scored_in_all AS deviation,
        -- As whole numbers: a spread of rounding errors would look like certainty.
        correct * scored_in_all <> scored * sum(correct) OVER cell AS deviates
    FROM cells
    WHERE conversation IS NOT NULL AND scored > 0
    WINDOW cell AS (
        PARTITION BY
            dataset_sha256, release, system, question_protocol, judge, counts_in_score, category
    )
    QUALIFY count(*) OVER cell > 1
),
clustered AS (
    SELECT
        dataset_sha256,
        release,
        system,
        question_protocol,
        judge,
        counts_in_score,
        category,
        sqrt(sum(deviation ^ 2 / (1 - share))) / any_value(scored_in_all) AS se,
        1 / (sum(share ^ 2) + sum(leverage) ^ 2 - sum(leverage ^ 2)) AS df,
        se * t_quantile(df) AS reach
    FROM conversation_shares
    GROUP BY ALL
    HAVING bool_or(deviates)
)
SELECT
    cells.dataset_sha256,
    cells.release,
    cells.system,
    cells.question_protocol,
    cells.judge,
    cells.counts_in_score,
    cells.category,
    cells.conversation,
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
    verdicts_of_unknown_cost,
    question_set,
    conversations,
    se AS clustered_se,
    df AS clustered_df,
    CASE WHEN reach IS NOT NULL THEN greatest(0.0, accuracy - reach) END AS clustered_low,
    CASE WHEN reach IS NOT NULL THEN least(1.0, accuracy + reach) END AS clustered_high
FROM cells
LEFT JOIN clustered
    ON
        cells.conversation IS NULL
        AND clustered.dataset_sha256 = cells.dataset_sha256
        AND clustered.release = cells.release
        AND clustered.system IS NOT DISTINCT FROM cells.system
        AND clustered.question_protocol = cells.question_protocol
        AND clustered.judge = cells.judge
        AND clustered.counts_in_score = cells.counts_in_score
        AND clustered.category IS NOT DISTINCT FROM cells.category
ORDER BY
    cells.release,
    cells.system,
    cells.question_protocol,
    cells.judge,
    cells.conversation NULLS FIRST,
    cells.category NULLS FIRST
