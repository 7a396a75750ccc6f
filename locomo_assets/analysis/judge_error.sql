-- What is known of the errors of a series' judge, by labels and by canaries, a row each, with the
-- series' conversations as [scored, correct] and the share of its answers that the judge was asked
-- about; one row without errors where nothing is known.
WITH series AS (
    SELECT list([scored, correct] ORDER BY conversation) AS by_conversation
    FROM accuracy_cells
    WHERE
        conversation IS NOT NULL
        AND category IS NULL
        AND counts_in_score
        AND release = $release
        AND coalesce(system, 'unknown') = $system
        AND question_protocol = $question_protocol
        AND judge = $judge
        AND dataset_sha256 = $dataset_sha256
),
-- A reply without words is wrong without a judge.
judged AS (
    SELECT avg((reasoning IS DISTINCT FROM $no_words)::INTEGER) AS judged_share
    FROM current_judgements
    WHERE
        category <> 5
        AND verdict IN ('correct', 'wrong')
        AND release = $release
        AND coalesce(system, 'unknown') = $system
        AND question_protocol = $question_protocol
        AND judge = $judge
        AND dataset_sha256 = $dataset_sha256
),
rates AS (
    SELECT source, right_n, right_n_accepted, wrong_n, wrong_n_accepted
    FROM judge_error_rates
    WHERE
        (source = 'labels' AND judge = $judge AND dataset_sha256 = $dataset_sha256)
        OR (
            source = 'canaries'
            AND judge = $judge_alone
            AND release = $release
            AND coalesce(system, 'unknown') = $system
        )
)
SELECT
    source,
    right_n,
    right_n_accepted,
    wrong_n,
    wrong_n_accepted,
    by_conversation,
    judged_share
FROM series
CROSS JOIN judged
LEFT JOIN rates ON true
ORDER BY source = 'labels' DESC
