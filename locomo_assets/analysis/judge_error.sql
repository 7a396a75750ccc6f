-- What is known of the errors of a series' judge, by labels and by canaries, a row each, with the
-- series' conversations as [scored, correct]; one row without errors where nothing is known.
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
SELECT source, right_n, right_n_accepted, wrong_n, wrong_n_accepted, by_conversation
FROM series
LEFT JOIN rates ON true
ORDER BY source = 'labels' DESC
