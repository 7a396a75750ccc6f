SELECT
    release,
    conversation,
    question_index,
    category,
    verdict,
    judge,
    system,
    question_protocol,
    dataset_sha256,
    question,
    gold_answer,
    answer
FROM current_judgements
