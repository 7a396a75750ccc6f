-- How long answers took, measured at the client, without the time waiting for its own rate limits.
SELECT
    release,
    system,
    question_protocol,
    dataset_sha256,
    count(*) AS answered,
    quantile_cont(first_chunk_ms, 0.5) AS first_chunk_p50_ms,
    quantile_cont(first_chunk_ms, 0.95) AS first_chunk_p95_ms,
    quantile_cont(latency_ms, 0.5) AS latency_p50_ms,
    quantile_cont(latency_ms, 0.95) AS latency_p95_ms,
    max(latency_ms) AS latency_max_ms,
    quantile_cont(in_flight, 0.5) AS in_flight_p50
FROM current_answers
WHERE outcome = 'answered' AND release IN (SELECT release FROM touched_partitions)
GROUP BY release, system, question_protocol, dataset_sha256
ORDER BY release, system, question_protocol, dataset_sha256
