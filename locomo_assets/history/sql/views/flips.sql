CREATE MACRO flips(release_a, release_b) AS TABLE
SELECT
    a.release AS release_a,
    b.release AS release_b,
    a.conversation,
    a.question_index,
    a.category,
    a.verdict AS verdict_a,
    b.verdict AS verdict_b,
    CASE WHEN b.verdict = 'correct' THEN 'gained' ELSE 'lost' END AS flip,
    a.judge,
    a.system,
    a.question_protocol,
    a.dataset_sha256,
    a.question,
    a.gold_answer,
    a.answer AS answer_a,
    b.answer AS answer_b
FROM current_judgements AS a
JOIN current_judgements AS b
    ON
        a.conversation = b.conversation
        AND a.question_index = b.question_index
        AND a.judge = b.judge
        AND a.system = b.system
        AND a.question_protocol = b.question_protocol
        AND a.dataset_sha256 = b.dataset_sha256
WHERE
    a.release = release_a
    AND b.release = release_b
    AND a.verdict <> b.verdict
    AND a.verdict IN ('correct', 'wrong')
    AND b.verdict IN ('correct', 'wrong');

CREATE VIEW flips AS
SELECT changed.*
FROM accuracy_trend AS pairs, flips(pairs.previous_release, pairs.release) AS changed
WHERE
    pairs.category IS NULL
    AND changed.judge = pairs.judge
    AND changed.system = pairs.system
    AND changed.question_protocol = pairs.question_protocol
    AND changed.dataset_sha256 = pairs.dataset_sha256;
