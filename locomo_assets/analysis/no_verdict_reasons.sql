-- Why questions of a series have no verdict: for each outcome its commonest reason, with how many
-- questions have it and how many have that outcome. Reasons that differ in numbers alone are one.
WITH reasons AS (
    SELECT
        verdict,
        min(reason) AS reason,
        count(*) AS questions
    FROM current_judgements
    WHERE
        verdict IN ('unscored', 'unanswered')
        AND release = $release
        AND system = $system
        AND judge = $judge
        AND question_protocol = $question_protocol
        AND dataset_sha256 = $dataset_sha256
    GROUP BY verdict, regexp_replace(reason, '[0-9]+', '0', 'g')
)
SELECT
    verdict,
    arg_max(reason, (questions, reason)) AS reason,
    max(questions) AS questions,
    sum(questions)::BIGINT AS questions_in_all
FROM reasons
WHERE reason IS NOT NULL
GROUP BY verdict
ORDER BY verdict DESC
