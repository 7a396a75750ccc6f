-- The turns of a data set in the order they were said, each once, with their session's date.
WITH said AS (
    SELECT *
    FROM turns
    WHERE dataset_sha256 = $dataset_sha256
    QUALIFY row_number() OVER (
        PARTITION BY conversation, dia_id ORDER BY written_at DESC, attempt_id DESC
    ) = 1
),
dated AS (
    SELECT conversation, session_index, any_value(date_text) AS date_text
    FROM sessions
    WHERE dataset_sha256 = $dataset_sha256
    GROUP BY conversation, session_index
)
SELECT
    conversation,
    session_index,
    date_text,
    dia_id,
    speaker,
    text,
    image_caption
FROM said
LEFT JOIN dated USING (conversation, session_index)
ORDER BY conversation, session_index, turn_index
