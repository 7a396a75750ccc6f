CREATE VIEW imported_results AS
SELECT
    j.release,
    j.conversation,
    j.question_index,
    j.category,
    official_name,
    vendor_name,
    j.system,
    j.question_protocol,
    a.llm_model,
    j.judge,
    j.question,
    j.gold_answer,
    j.answer,
    j.verdict,
    j.reasoning,
    j.reason,
    j.votes,
    j.agreement,
    j.dataset_sha256,
    f.format,
    f.file,
    f.file_sha256,
    a.committed_at AS imported_at
FROM current_judgements AS j
JOIN current_answers AS a
    ON
        a.release = j.release
        AND a.conversation = j.conversation
        AND a.question_index = j.question_index
        AND a.answer_id = j.answer_id
JOIN imported_files AS f
    ON
        f.attempt_id = a.attempt_id
        -- Verdicts of one's own on imported answers were not imported.
        AND f.attempt_id = j.judgement_attempt_id
        AND coalesce(f.conversation, a.conversation) = a.conversation
JOIN categories ON categories.category = j.category;

-- A null category means all scored ones. Series that are one's own judging of imported answers are
-- left out.
CREATE VIEW published_results AS
WITH series AS (
    SELECT
        release,
        system,
        question_protocol,
        judge,
        dataset_sha256,
        string_agg(DISTINCT llm_model, ', ' ORDER BY llm_model) AS llm_model,
        string_agg(DISTINCT format, ', ' ORDER BY format) AS format,
        count(DISTINCT file_sha256) AS files
    FROM imported_results
    GROUP BY ALL
),
judges AS (
    SELECT
        release,
        judge,
        any_value(judge_model) AS judge_model,
        any_value(prompt_sha256) AS prompt_sha256
    FROM current_judgements
    SEMI JOIN imported_files USING (release)
    GROUP BY ALL
)
SELECT
    release,
    system,
    llm_model,
    question_protocol,
    judge,
    judge_model,
    prompt_sha256,
    cells.category,
    official_name,
    vendor_name,
    cells.questions,
    cells.scored,
    cells.correct,
    cells.unscored,
    cells.unanswered,
    cells.accuracy,
    cells.accuracy_low,
    cells.accuracy_high,
    dataset_sha256,
    format,
    files,
    cells.question_set,
    cells.conversations,
    cells.clustered_se,
    cells.clustered_df,
    cells.clustered_low,
    cells.clustered_high,
    cells.accuracy_if_rest_wrong,
    cells.accuracy_if_rest_right
FROM accuracy_cells AS cells
JOIN series USING (release, system, question_protocol, judge, dataset_sha256)
LEFT JOIN judges USING (release, judge)
LEFT JOIN categories USING (category)
WHERE cells.conversation IS NULL AND (cells.category IS NOT NULL OR cells.counts_in_score);
