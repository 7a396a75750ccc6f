-- What each judge said of a release's current answers of one series.
SELECT conversation, question_index, judge, verdict
FROM current_judgements
WHERE
    release = $release
    AND coalesce(system, 'unknown') = $system
    AND question_protocol = $question_protocol
    AND dataset_sha256 = $dataset_sha256
