-- The series of two releases, each with the time of its newest verdict.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    question_protocol,
    judge,
    dataset_sha256,
    coalesce(max(judged_at), 'epoch'::TIMESTAMPTZ) AS judged_at,
    any_value(gold) AS gold
FROM current_judgements
WHERE release IN ($a, $b)
GROUP BY ALL
