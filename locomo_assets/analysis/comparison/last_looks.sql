-- What the newest run of each release that stops once it is decided said, and whether questions are
-- still left out.
SELECT
    release,
    against,
    decision,
    look,
    looks,
    questions,
    of_questions,
    difference,
    p_differs,
    p_equivalent,
    bound_differs,
    bound_equivalent,
    margin_points,
    release IN (SELECT release FROM stopped_releases) AS is_stopped
FROM stopped_runs
QUALIFY row_number() OVER (PARTITION BY release ORDER BY looked_at DESC, attempt_id DESC) = 1
ORDER BY release;
