-- What each question of a series took; NULL where it is not known.
SELECT
    a.conversation,
    a.question_index,
    a.input_tokens,
    a.memory_tokens,
    a.latency_ms,
    a.cost_usd,
    j.judgement_id IS NOT NULL AS is_judged,
    j.judge_cost_usd
FROM current_answers AS a
LEFT JOIN current_judgements AS j
    ON
        j.release = a.release
        AND j.conversation = a.conversation
        AND j.question_index = a.question_index
        AND j.answer_id = a.answer_id
        AND j.judge = $judge
WHERE
    a.release = $release
    AND coalesce(a.system, 'unknown') = $system
    AND a.question_protocol = $question_protocol
    AND a.dataset_sha256 = $dataset_sha256
