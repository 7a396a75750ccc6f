-- Every judged question of one series of a release, with how far its evidence came and, where the
-- answer is wrong, why.
SELECT
    j.conversation,
    j.question_index,
    j.category,
    j.question,
    j.gold_answer,
    j.answer,
    j.verdict,
    j.reasoning,
    coalesce(d.reason, j.reason) AS reason,
    d.detail,
    e.stage,
    e.evidence_turns,
    e.evidence_stored,
    e.evidence_retrieved,
    e.first_rank,
    e.memories_retrieved,
    e.evidence,
    j.agreement,
    j.latency_ms,
    j.input_tokens,
    j.output_tokens,
    j.cost_usd,
    j.judge_cost_usd,
    j.asked_at,
    j.judged_at,
    j.answer_id,
    j.ingestion_id,
    j.judgement_id
FROM current_judgements AS j
LEFT JOIN answer_evidence AS e
    ON
        e.release = j.release
        AND e.conversation = j.conversation
        AND e.question_index = j.question_index
        AND e.answer_id = j.answer_id
LEFT JOIN diagnosis AS d ON d.judgement_id = j.judgement_id
WHERE
    j.release = $release
    AND coalesce(j.system, 'unknown') = $system
    AND j.judge = $judge
    AND j.question_protocol = $question_protocol
    AND j.dataset_sha256 = $dataset_sha256
ORDER BY j.conversation, j.question_index;
