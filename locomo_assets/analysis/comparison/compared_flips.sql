-- The flips of two series, with the fields of `comparison.Flip`. The first columns say how far the
-- evidence came: of the side that is right, of the other one, and why that is wrong.
WITH changed AS (
    SELECT
        *,
        flip = 'lost' AS is_lost,
        CASE WHEN is_lost THEN release_a ELSE release_b END AS release_right,
        CASE WHEN is_lost THEN release_b ELSE release_a END AS release_wrong,
        CASE WHEN is_lost THEN judgement_id_a ELSE judgement_id_b END AS judgement_right,
        CASE WHEN is_lost THEN judgement_id_b ELSE judgement_id_a END AS judgement_wrong
    FROM
        flips_between(
            $a, $question_protocol_a, $judge_a, $b, $question_protocol_b, $judge_b
        )
    WHERE
        coalesce(system_a, 'unknown') = $system_a
        AND coalesce(system_b, 'unknown') = $system_b
        AND dataset_sha256_a = $dataset_a
        AND dataset_sha256_b = $dataset_b
),
answers_right AS (
    SELECT j.release, j.judgement_id, e.stage, e.evidence
    FROM current_judgements AS j
    JOIN answer_evidence AS e USING (release, conversation, question_index, answer_id)
    SEMI JOIN changed ON j.release = release_right AND j.judgement_id = judgement_right
),
answers_wrong AS (
    SELECT d.release, d.judgement_id, d.stage, d.evidence, d.reason, d.detail
    FROM diagnosis AS d
    SEMI JOIN changed ON d.release = release_wrong AND d.judgement_id = judgement_wrong
)
SELECT
    r.stage AS stage_right,
    len(list_filter(r.evidence, lambda one: one.stored)) AS stored_right,
    len(list_filter(r.evidence, lambda one: one.retrieved)) AS retrieved_right,
    w.stage AS stage_wrong,
    len(list_filter(w.evidence, lambda one: one.stored)) AS stored_wrong,
    len(list_filter(w.evidence, lambda one: one.retrieved)) AS retrieved_wrong,
    changed.conversation,
    changed.question_index,
    changed.category,
    changed.flip,
    changed.question,
    changed.gold_answer,
    changed.answer_a,
    changed.answer_b,
    changed.reasoning_a,
    changed.reasoning_b,
    changed.evidence,
    changed.retrieved_a,
    changed.retrieved_b,
    coalesce(w.reason, 'unknown') AS reason,
    w.detail
FROM changed
LEFT JOIN answers_right AS r ON r.release = release_right AND r.judgement_id = judgement_right
LEFT JOIN answers_wrong AS w ON w.release = release_wrong AND w.judgement_id = judgement_wrong
ORDER BY changed.category, changed.conversation, changed.question_index
