CREATE VIEW scores_by_category AS
SELECT
    release,
    category,
    official_name,
    vendor_name,
    counts_in_score,
    system,
    question_protocol,
    dataset_sha256,
    count(*) AS questions,
    count(*) FILTER (outcome = 'answered') AS answered,
    avg(f1) AS f1,
    avg(exact_match::INTEGER) AS exact_match,
    median(answer_words) AS answer_words_p50,
    avg(answer_words) AS answer_words_mean,
    quantile_cont(latency_ms, 0.5) AS latency_p50_ms,
    quantile_cont(latency_ms, 0.95) AS latency_p95_ms
FROM answer_scores
JOIN categories USING (category)
GROUP BY
    release, category, official_name, vendor_name, counts_in_score,
    system, question_protocol, dataset_sha256;

CREATE VIEW retrieval_by_category AS
SELECT
    release,
    category,
    official_name,
    vendor_name,
    counts_in_score,
    system,
    question_protocol,
    dataset_sha256,
    count(*) AS questions,
    count(*) FILTER (evidence_turns > 0) AS questions_with_evidence,
    count(recall_at_10) AS questions_with_retrieval,
    avg(recall_at_1) AS recall_at_1,
    avg(recall_at_5) AS recall_at_5,
    avg(recall_at_10) AS recall_at_10,
    avg(reciprocal_rank) AS mrr,
    sum(memories_retrieved)::BIGINT AS memories_retrieved,
    sum(memories_traced)::BIGINT AS memories_traced,
    sum(memories_traced) / nullif(sum(memories_retrieved), 0) AS memories_traceable
FROM answer_scores
JOIN categories USING (category)
GROUP BY
    release, category, official_name, vendor_name, counts_in_score,
    system, question_protocol, dataset_sha256;

CREATE VIEW abstention_by_release AS
WITH counted AS (
    SELECT
        release,
        system,
        question_protocol,
        dataset_sha256,
        count(*) AS questions,
        count(abstention) AS answered,
        count(*) FILTER (abstention = 'abstained') AS abstained,
        count(*) FILTER (abstention = 'trapped') AS trapped,
        count(*) FILTER (abstention = 'other') AS other
    FROM answer_scores
    WHERE category = 5
    GROUP BY release, system, question_protocol, dataset_sha256
)
SELECT
    *,
    abstained / nullif(answered, 0) AS abstention,
    wilson_low(abstained, answered) AS abstention_low,
    wilson_high(abstained, answered) AS abstention_high,
    trapped / nullif(answered, 0) AS trapped_share
FROM counted;
