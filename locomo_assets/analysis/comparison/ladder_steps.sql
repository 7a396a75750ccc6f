-- The steps of a release's ladders, those of the newest attempt of each; $ladder NULL: of all.
SELECT
    ladder,
    file_sha256,
    step_index,
    step,
    parent_step,
    changed,
    configuration_json,
    question_protocol,
    judge,
    coalesce(system, 'unknown') AS system,
    dataset_sha256,
    noted_at
FROM ladder_steps
WHERE release = $release AND ($ladder IS NULL OR ladder = $ladder)
QUALIFY attempt_id = arg_max(attempt_id, (noted_at, attempt_id)) OVER (PARTITION BY ladder)
ORDER BY ladder, step_index
