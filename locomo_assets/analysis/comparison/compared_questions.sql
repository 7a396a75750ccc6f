-- Every question asked in a series, with its judge's verdict (NULL before it is judged).
SELECT
    a.conversation,
    a.question_index,
    a.category,
    a.question,
    q.gold_answer,
    j.verdict,
    concat_ws('/', a.llm_provider, a.llm_model) AS model
FROM current_answers AS a
LEFT JOIN current_judgements AS j
    ON
        j.release = a.release
        AND j.conversation = a.conversation
        AND j.question_index = a.question_index
        AND j.answer_id = a.answer_id
        AND j.judge = $judge
LEFT JOIN current_questions AS q
    ON
        q.dataset_sha256 = a.dataset_sha256
        AND q.conversation = a.conversation
        AND q.question_index = a.question_index
WHERE
    a.release = $release
    AND coalesce(a.system, 'unknown') = $system
    AND a.question_protocol = $question_protocol
    AND a.dataset_sha256 = $dataset_sha256
