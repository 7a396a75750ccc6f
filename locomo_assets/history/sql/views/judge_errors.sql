-- Each labelled answer by its newest label, once for each judge that has scored just this answer to
-- just this question; the judge's newest verdict counts. The judge is null where none has.
CREATE VIEW labelled_verdicts AS
WITH labels AS (
    SELECT
        label.*,
        committed_at,
        plain_text(label.answer) AS plain_answer
    FROM judge_labels AS label
    JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
    QUALIFY
        row_number() OVER (
            PARTITION BY dataset_sha256, conversation, question_index, plain_answer
            ORDER BY committed_at DESC, attempt_id DESC
        ) = 1
),
verdicts AS (
    SELECT
        labels.dataset_sha256,
        labels.conversation,
        labels.question_index,
        plain_answer,
        judge,
        verdict,
        reasoning,
        judged_at
    FROM labels
    JOIN answers
        ON
            answers.dataset_sha256 = labels.dataset_sha256
            AND answers.conversation = labels.conversation
            AND answers.question_index = labels.question_index
            AND plain_text(answers.answer) = plain_answer
    JOIN judgements USING (answer_id)
    JOIN (SELECT attempt_id, committed_at FROM attempts) AS judging
        ON judging.attempt_id = judgements.attempt_id
    WHERE verdict IN ('correct', 'wrong')
    QUALIFY
        row_number() OVER (
            PARTITION BY
                labels.dataset_sha256, labels.conversation, labels.question_index, plain_answer,
                judge
            ORDER BY judging.committed_at DESC, judging.attempt_id DESC, judged_at DESC
        ) = 1
)
SELECT
    labels.dataset_sha256,
    labels.conversation,
    labels.question_index,
    category,
    question,
    answer,
    label,
    labelled_by,
    judge,
    verdict,
    reasoning,
    judged_at,
    file,
    file_sha256,
    attempt_id AS label_attempt_id
FROM labels
LEFT JOIN verdicts USING (dataset_sha256, conversation, question_index, plain_answer);

-- By labels a judge's errors hold for every release on the data set; by canaries for the release
-- that they were judged with. Of the canaries the specific wrong ones count, not the vague ones.
CREATE VIEW judge_error_rates AS
WITH counted AS (
    SELECT
        NULL AS release,
        NULL AS system,
        dataset_sha256,
        judge,
        'labels' AS source,
        count(*) FILTER (label = 'right') AS right_n,
        count(*) FILTER (label = 'right' AND verdict = 'correct') AS right_n_accepted,
        count(*) FILTER (label = 'wrong') AS wrong_n,
        count(*) FILTER (label = 'wrong' AND verdict = 'correct') AS wrong_n_accepted
    FROM labelled_verdicts
    WHERE judge IS NOT NULL AND category <> 5
    GROUP BY dataset_sha256, judge
    UNION ALL
    SELECT
        release,
        system,
        NULL,
        judge,
        'canaries',
        right_judged,
        round(coalesce(right_accepted, 0) * right_judged)::BIGINT,
        wrong_judged,
        round(coalesce(wrong_accepted, 0) * wrong_judged)::BIGINT
    FROM canary_rates
)
SELECT
    judge,
    source,
    right_n_accepted / nullif(right_n, 0) AS right_accepted,
    wrong_n_accepted / nullif(wrong_n, 0) AS wrong_accepted,
    right_n + wrong_n AS n,
    right_n,
    right_n_accepted,
    wrong_n,
    wrong_n_accepted,
    release,
    system,
    dataset_sha256
FROM counted
WHERE n > 0;
