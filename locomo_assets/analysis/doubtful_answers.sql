-- Answers with a first word that too many others of their series have, too, for one answer; and how
-- many answers the series has. Of the release $release alone; NULL: of all.
-- That word has at most seven signs, all of ASCII, and so holds no request's id: answers that
-- `commonest_answer` takes as one have the same, or none. White space is Python's.
WITH words AS (
    SELECT
        release,
        coalesce(system, 'unknown') AS system,
        question_protocol,
        dataset_sha256,
        answer,
        lower(
            regexp_extract(
                -- what is no ASCII until it is written as `commonest_answer` writes it
                replace(replace(answer, '’', ''''), chr(8490), 'k'),
                '(?:^|[\t-\r\x1c- \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}])([!-~]{1,7})(?:[\t-\r\x1c- \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]|$)',
                1
            )
        ) AS word
    FROM current_answers
    WHERE ($release IS NULL OR release = $release) AND outcome = 'answered' AND answer IS NOT NULL
),
common AS (
    SELECT
        release,
        system,
        question_protocol,
        dataset_sha256,
        word,
        sum(count(*)) OVER (
            PARTITION BY release, system, question_protocol, dataset_sha256
        ) AS answered
    FROM words
    GROUP BY release, system, question_protocol, dataset_sha256, word
    QUALIFY count(*) > greatest($always_allowed, answered * $allowed_percent / 100)
)
SELECT
    release,
    system,
    question_protocol,
    dataset_sha256,
    answered::BIGINT,
    answer
FROM words
JOIN common USING (release, system, question_protocol, dataset_sha256, word)
