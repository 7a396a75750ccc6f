-- How a release was ingested and by which version of this program: once for each of its series.
SELECT
    a.dataset_sha256,
    coalesce(a.system, 'unknown') AS system,
    a.question_protocol,
    list_sort(list(DISTINCT t.code_version) FILTER (t.code_version IS NOT NULL)) AS versions,
    list_sort(list(DISTINCT i.ingest_protocol) FILTER (i.ingest_protocol IS NOT NULL))
        AS ingest_protocols,
    list_sort(list(DISTINCT i.llm_model) FILTER (i.llm_model IS NOT NULL)) AS ingest_models,
    list_sort(list(DISTINCT i.options_json) FILTER (i.options_json IS NOT NULL)) AS ingest_options,
    any_value(o.published_at) AS published_at,
    bool_or(o.source IS NOT DISTINCT FROM 'imported') AS imported
FROM current_answers AS a
LEFT JOIN release_order AS o USING (release)
LEFT JOIN
    (SELECT DISTINCT attempt_id, code_version FROM answers WHERE release = $release) AS t
    USING (attempt_id)
LEFT JOIN ingestions AS i ON i.ingestion_id = a.ingestion_id
WHERE a.release = $release
GROUP BY ALL
