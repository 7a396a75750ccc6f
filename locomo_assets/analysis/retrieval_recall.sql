-- Recall at each k, the rows of one family of series together; `$release` null: of all releases.
SELECT
    release,
    coalesce(system, 'unknown'),
    question_protocol,
    dataset_sha256,
    k,
    questions,
    100 * evidence_recall,
    memory_tokens,
    judge,
    100 * accuracy
FROM retrieval_recall
WHERE
    release = coalesce($release, release)
    -- Of an imported release nothing is known but what its answers tell.
    AND (questions > 0 OR memory_tokens IS NOT NULL OR accuracy IS NOT NULL)
ORDER BY
    release,
    2,
    dataset_sha256,
    regexp_replace(question_protocol, ', k \d+', ''),
    k,
    judge
