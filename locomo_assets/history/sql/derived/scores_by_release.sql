-- Means over categories 1–4. A table, because percentiles over all answers are slow to compute.
SELECT
    release,
    system,
    question_protocol,
    dataset_sha256,
    count(*) AS questions,
    count(*) FILTER (outcome = 'answered') AS answered,
    avg(f1) AS f1,
    avg(exact_match::INTEGER) AS exact_match,
    avg(recall_at_1) AS recall_at_1,
    avg(recall_at_5) AS recall_at_5,
    avg(recall_at_10) AS recall_at_10,
    avg(reciprocal_rank) AS mrr,
    count(recall_at_10) AS questions_with_retrieval,
    sum(memories_traced) / nullif(sum(memories_retrieved), 0) AS memories_traceable,
    median(answer_words) AS answer_words_p50,
    avg(answer_words) AS answer_words_mean,
    quantile_cont(latency_ms, 0.5) AS latency_p50_ms,
    quantile_cont(latency_ms, 0.95) AS latency_p95_ms
FROM answer_scores
WHERE category <> 5 AND release IN (SELECT release FROM touched_partitions)
GROUP BY release, system, question_protocol, dataset_sha256
ORDER BY release, system, question_protocol, dataset_sha256
