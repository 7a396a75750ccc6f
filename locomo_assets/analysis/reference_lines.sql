-- Of one release, or of all ($1 null), newest first: the reference lines of each series.
SELECT
    release,
    system,
    judge,
    question_protocol,
    no_memory_accuracy,
    no_memory_questions,
    no_memory_release,
    memory_adds_points,
    full_context_accuracy,
    full_context_questions,
    full_context_release,
    full_context_ahead_points,
    evidence_only_accuracy,
    evidence_only_questions,
    evidence_only_release,
    evidence_only_ahead_points
FROM reference_lines
WHERE $1 IS NULL OR release = $1
ORDER BY position DESC, system, judge, question_protocol
