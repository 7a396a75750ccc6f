-- Every question that a series was asked in a release: the answer that counts, its verdict, and how
-- far its evidence came. A question has no `reason` unless it is wrong.
WITH repeated AS (
    SELECT
        conversation,
        question_index,
        count(*) FILTER (verdict IN ('correct', 'wrong')) AS scored_times,
        count(*) FILTER (verdict = 'correct') AS correct_times
    FROM repeats
    WHERE
        release = $release
        AND coalesce(system, 'unknown') = $system
        AND question_protocol = $question_protocol
        AND judge = $judge
        AND dataset_sha256 = $dataset_sha256
    GROUP BY conversation, question_index
)
SELECT
    a.conversation,
    a.question_index,
    a.category,
    a.question,
    coalesce(j.gold_answer, q.gold_answer) AS gold_answer,
    q.adversarial_answer,
    coalesce(q.evidence, []) AS evidence_turns,
    coalesce(j.verdict, if(a.outcome = 'unanswered', 'unanswered', 'not judged')) AS verdict,
    a.answer,
    j.reasoning,
    coalesce(j.reason, a.reason) AS why_no_verdict,
    d.reason,
    d.detail,
    e.stage,
    e.evidence_stored,
    e.evidence_retrieved,
    e.first_rank,
    e.memories_retrieved,
    e.memories_traced,
    e.evidence,
    r.scored_times,
    r.correct_times,
    a.latency_ms,
    a.cost_usd,
    j.judge_cost_usd,
    a.answer_id,
    j.judgement_id,
    a.ingestion_id
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
LEFT JOIN answer_evidence AS e
    ON
        e.release = a.release
        AND e.conversation = a.conversation
        AND e.question_index = a.question_index
        AND e.answer_id = a.answer_id
LEFT JOIN diagnosis AS d
    ON
        d.release = a.release
        AND d.conversation = a.conversation
        AND d.question_index = a.question_index
        AND d.judgement_id = j.judgement_id
        AND d.judge = $judge
LEFT JOIN repeated AS r
    ON r.conversation = a.conversation AND r.question_index = a.question_index
WHERE
    a.release = $release
    AND coalesce(a.system, 'unknown') = $system
    AND a.question_protocol = $question_protocol
    AND a.dataset_sha256 = $dataset_sha256
ORDER BY a.conversation, a.question_index
