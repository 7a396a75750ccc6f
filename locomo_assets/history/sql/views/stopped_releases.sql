-- Releases whose newest run stopped because a comparison was decided, and that have not been asked
-- the rest since. Their numbers are of a part of the questions.
CREATE VIEW stopped_releases AS
WITH newest AS (
    SELECT *
    FROM stopped_runs
    QUALIFY row_number() OVER (
        PARTITION BY release, system, question_protocol, dataset_sha256
        ORDER BY looked_at DESC, attempt_id DESC
    ) = 1
),
asked AS (
    SELECT
        release,
        system,
        question_protocol,
        dataset_sha256,
        count(*) FILTER (category <> 5) AS questions_asked
    FROM current_answers
    GROUP BY ALL
)
SELECT
    release,
    against,
    decision,
    questions_asked,
    of_questions,
    look,
    looks,
    difference,
    p_differs,
    p_equivalent,
    bound_differs,
    bound_equivalent,
    margin_points,
    order_seed,
    system,
    question_protocol,
    judge,
    dataset_sha256,
    looked_at
FROM newest
JOIN asked USING (release, system, question_protocol, dataset_sha256)
WHERE questions_asked < of_questions;
