-- What each judge said of a release's current answers, categories 1–4, an answer and judge a row.
-- $judges: only these; NULL: all.
SELECT
    coalesce(system, 'unknown') AS system,
    question_protocol,
    dataset_sha256,
    conversation,
    question_index,
    category,
    question,
    gold_answer,
    answer,
    judge,
    verdict,
    votes,
    agreement,
    judge_cost_usd,
    judge_input_tokens,
    judge_output_tokens,
    judged_at
FROM current_judgements
WHERE
    release = $release
    AND category <> 5
    AND ($judges IS NULL OR list_contains($judges, judge))
ORDER BY system, question_protocol, dataset_sha256, conversation, question_index, judge
