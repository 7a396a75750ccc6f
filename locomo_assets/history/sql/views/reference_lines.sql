CREATE VIEW reference_lines AS
WITH verdicts AS (
    SELECT
        dataset_sha256,
        release,
        system,
        judge,
        question_protocol,
        conversation,
        question_index,
        (verdict = 'correct')::INTEGER AS correct
    FROM current_judgements
    WHERE category <> 5 AND verdict IN ('correct', 'wrong')
),
series AS (
    SELECT DISTINCT dataset_sha256, release, system, judge, question_protocol, position
    FROM accuracy_by_release
    JOIN release_order USING (release)
    WHERE judge IS NOT NULL
),
-- A release's own reference, else that of the nearest release before it, else of the nearest after.
chosen AS (
    SELECT
        s.dataset_sha256,
        s.release,
        s.system,
        s.judge,
        s.question_protocol,
        s.position,
        reference.question_protocol AS reference,
        reference.release AS reference_release
    FROM series AS s
    JOIN series AS reference
        ON
            reference.dataset_sha256 = s.dataset_sha256
            AND reference.system IS NOT DISTINCT FROM s.system
            AND reference.judge = s.judge
    WHERE
        is_reference(reference.question_protocol) AND NOT is_reference(s.question_protocol)
    QUALIFY row_number() OVER (
        PARTITION BY
            s.dataset_sha256, s.release, s.system, s.judge,
            s.question_protocol, reference.question_protocol
        ORDER BY reference.position > s.position, abs(reference.position - s.position)
    ) = 1
),
compared AS (
    SELECT
        c.dataset_sha256,
        c.release,
        c.system,
        c.judge,
        c.question_protocol,
        c.position,
        c.reference,
        c.reference_release,
        count(*) AS questions,
        avg(reference.correct) AS reference_accuracy,
        avg(measured.correct) AS measured_accuracy
    FROM chosen AS c
    JOIN verdicts AS reference
        ON
            reference.dataset_sha256 = c.dataset_sha256
            AND reference.release = c.reference_release
            AND reference.system IS NOT DISTINCT FROM c.system
            AND reference.judge = c.judge
            AND reference.question_protocol = c.reference
    JOIN verdicts AS measured
        ON
            measured.dataset_sha256 = c.dataset_sha256
            AND measured.release = c.release
            AND measured.system IS NOT DISTINCT FROM c.system
            AND measured.judge = c.judge
            AND measured.question_protocol = c.question_protocol
            AND measured.conversation = reference.conversation
            AND measured.question_index = reference.question_index
    GROUP BY ALL
)
SELECT
    c.position,
    c.release,
    c.system,
    c.question_protocol,
    c.judge,
    c.dataset_sha256,
    any_value(a.accuracy) AS accuracy,
    any_value(reference_release) FILTER (reference = 'no-memory') AS no_memory_release,
    any_value(c.questions) FILTER (reference = 'no-memory') AS no_memory_questions,
    any_value(reference_accuracy) FILTER (reference = 'no-memory') AS no_memory_accuracy,
    any_value(100 * (measured_accuracy - reference_accuracy)) FILTER (reference = 'no-memory')
        AS memory_adds_points,
    any_value(reference_release) FILTER (reference = 'full-context') AS full_context_release,
    any_value(c.questions) FILTER (reference = 'full-context') AS full_context_questions,
    any_value(reference_accuracy) FILTER (reference = 'full-context') AS full_context_accuracy,
    any_value(100 * (reference_accuracy - measured_accuracy)) FILTER (reference = 'full-context')
        AS full_context_ahead_points,
    any_value(reference_release) FILTER (reference = 'evidence-only') AS evidence_only_release,
    any_value(c.questions) FILTER (reference = 'evidence-only') AS evidence_only_questions,
    any_value(reference_accuracy) FILTER (reference = 'evidence-only') AS evidence_only_accuracy,
    any_value(100 * (reference_accuracy - measured_accuracy)) FILTER (reference = 'evidence-only')
        AS evidence_only_ahead_points
FROM compared AS c
JOIN accuracy_by_release AS a
    ON
        a.dataset_sha256 = c.dataset_sha256
        AND a.release = c.release
        AND a.system IS NOT DISTINCT FROM c.system
        AND a.judge = c.judge
        AND a.question_protocol = c.question_protocol
GROUP BY c.position, c.release, c.system, c.question_protocol, c.judge, c.dataset_sha256;
