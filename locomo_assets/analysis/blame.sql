-- Of one series: its wrong answers (categories 1–4), how many of them were asked and scored with
-- their evidence in hand too, and how many of those are wrong again. The evidence-only release is
-- the one in reference_lines: the series' own, else the nearest. A question for which the data set
-- names no turn is left out of both: there was nothing to hand.
WITH reference AS (
    SELECT evidence_only_release AS release
    FROM reference_lines
    WHERE
        release = $release
        AND coalesce(system, 'unknown') = $system
        AND judge = $judge
        AND question_protocol = $question_protocol
        AND dataset_sha256 = $dataset_sha256
        AND evidence_only_release IS NOT NULL
),
verdicts AS (
    SELECT release, question_protocol, conversation, question_index, verdict
    FROM current_judgements
    WHERE
        coalesce(system, 'unknown') = $system
        AND judge = $judge
        AND dataset_sha256 = $dataset_sha256
        AND category <> 5
        AND verdict IN ('correct', 'wrong')
)
SELECT
    any_value(reference.release) AS reference_release,
    count(*) AS wrong,
    count(again.verdict) AS asked_with_evidence,
    count(*) FILTER (again.verdict = 'wrong') AS wrong_with_evidence
FROM verdicts AS measured
CROSS JOIN reference
LEFT JOIN current_questions AS q
    ON
        q.dataset_sha256 = $dataset_sha256
        AND q.conversation = measured.conversation
        AND q.question_index = measured.question_index
LEFT JOIN verdicts AS again
    ON
        again.release = reference.release
        AND again.question_protocol = 'evidence-only'
        AND again.conversation = measured.conversation
        AND again.question_index = measured.question_index
        AND len(q.evidence) > 0
WHERE
    measured.release = $release
    AND measured.question_protocol = $question_protocol
    AND measured.verdict = 'wrong'
HAVING count(*) > 0
