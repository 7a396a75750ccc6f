-- Each time a question was asked of a release under the conditions of the current answer (models,
-- memory mode, ingest protocol), with the newest verdict of each judge. Repeat 1 is the current
-- answer, 2 the one before, and so on. An answer that was read back after a lost reply does not say
-- which model gave it; it is alike what was asked of the same memory in the same way. Answers with one ingestion_id share their memory, so their
-- difference is noise of answering only.
CREATE VIEW repeats AS
WITH ingest_protocols AS (
    SELECT ingestion_id, any_value(ingest_protocol) AS ingest_protocol
    FROM ingestions
    GROUP BY ingestion_id
),
asked AS (
    SELECT
        answers.*,
        committed_at,
        {
            provider: llm_provider,
            model: llm_model,
            memory: memory_mode,
            ingest: ingest_protocol
        } AS conditions,
        outcome = 'answered' AND retrieved IS NULL AS read_back
    FROM answers
    JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
    LEFT JOIN ingest_protocols USING (ingestion_id)
    WHERE kind IS DISTINCT FROM 'sample'
    -- Within an attempt, the answer that `current_answers` would choose.
    QUALIFY row_number() OVER (
        PARTITION BY
            release, conversation, dataset_sha256, question_index, system, question_protocol,
            attempt_id
        ORDER BY outcome = 'answered' DESC, asked_at, answer_id DESC
    ) = 1
),
alike AS (
    SELECT *
    FROM asked
    WINDOW same_question AS (
        PARTITION BY
            release, conversation, dataset_sha256, question_index, system, question_protocol
        ORDER BY committed_at DESC, attempt_id DESC
    )
    QUALIFY conditions IS NOT DISTINCT FROM first_value(conditions) OVER same_question
        OR (
            fingerprint = first_value(fingerprint) OVER same_question
            AND (read_back OR first_value(read_back) OVER same_question)
        )
),
numbered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY
                release, conversation, dataset_sha256, question_index, system, question_protocol
            ORDER BY committed_at DESC, attempt_id DESC
        ) AS repeat
    FROM alike
    -- An import that supersedes another corrects it; it is not a second measurement.
    QUALIFY repeat = 1 OR asset <> 'imported_results'
),
verdicts AS (
    SELECT
        judgements.release,
        judgements.conversation,
        answer_id,
        judge,
        arg_max(
            verdict,
            (committed_at, attempt_id, verdict <> 'unscored', -epoch_us(judged_at), judgement_id)
        ) AS verdict
    FROM judgements
    JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
    GROUP BY judgements.release, judgements.conversation, answer_id, judge
)
SELECT
    release,
    conversation,
    question_index,
    category,
    repeat,
    verdict,
    judge,
    system,
    question_protocol,
    dataset_sha256,
    answer,
    answer_id,
    ingestion_id,
    asked_at,
    committed_at
FROM numbered
JOIN verdicts USING (release, conversation, answer_id);

CREATE VIEW accuracy_by_repeat AS
SELECT
    release,
    repeat,
    system,
    question_protocol,
    judge,
    dataset_sha256,
    count(*) FILTER (verdict IN ('correct', 'wrong')) AS scored,
    count(*) FILTER (verdict = 'correct') AS correct,
    CASE WHEN scored > 0 THEN correct / scored END AS accuracy,
    wilson_low(correct, scored) AS accuracy_low,
    wilson_high(correct, scored) AS accuracy_high,
    count(*) AS questions,
    correct / questions AS accuracy_if_rest_wrong,
    (questions - scored + correct) / questions AS accuracy_if_rest_right
FROM repeats
WHERE category <> 5
GROUP BY release, repeat, system, question_protocol, judge, dataset_sha256;
