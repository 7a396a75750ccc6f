-- The current verdicts of a release, one a judge and answer, with all that identifies the judge.
WITH stored AS (
    SELECT
        judgement_id,
        attempt_id AS judgement_attempt_id,
        any_value(judge_parameters_json) AS judge_parameters_json,
        any_value(asked_by) AS asked_by,
        any_value(corrected_gold_answer) AS corrected_gold_answer,
        any_value(reason) AS verdict_reason
    FROM judgements
    WHERE release = $release
    GROUP BY ALL
)
SELECT j.*, s.* EXCLUDE (judgement_id, judgement_attempt_id)
FROM current_judgements AS j
JOIN stored AS s USING (judgement_id, judgement_attempt_id)
WHERE j.release = $release
ORDER BY j.judge
