-- What a question of a series took, categories 1-4. A mean stands where all answers have the value.
SELECT
    release,
    coalesce(system, 'unknown') AS system,
    question_protocol,
    dataset_sha256,
    CASE WHEN count(*) FILTER (outcome = 'answered' AND memory_tokens IS NULL) = 0
        THEN avg(memory_tokens) END AS memory_tokens,
    CASE WHEN count(*) FILTER (outcome = 'answered' AND input_tokens IS NULL) = 0
        THEN avg(input_tokens) END AS input_tokens,
    CASE WHEN count(*) FILTER (outcome = 'answered' AND cost_usd IS NULL) = 0
        THEN avg(cost_usd) END AS cost_usd,
    string_agg(DISTINCT llm_model, ', ' ORDER BY llm_model) AS models
FROM current_answers
WHERE category <> 5
GROUP BY ALL
