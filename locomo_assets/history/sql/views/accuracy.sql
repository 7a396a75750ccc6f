CREATE VIEW accuracy_by_release AS
SELECT * EXCLUDE (category, conversation, counts_in_score)
FROM accuracy_cells
WHERE category IS NULL AND conversation IS NULL AND counts_in_score;

CREATE VIEW accuracy_by_category AS
SELECT
    cells.release,
    cells.category,
    official_name,
    vendor_name,
    cells.* EXCLUDE (release, category, conversation)
FROM accuracy_cells AS cells
JOIN categories USING (category)
WHERE cells.conversation IS NULL;

CREATE VIEW accuracy_by_conversation AS
SELECT
    release,
    conversation,
    * EXCLUDE (release, conversation, category, counts_in_score)
FROM accuracy_cells
WHERE conversation IS NOT NULL AND category IS NULL AND counts_in_score;

CREATE VIEW accuracy_by_category_and_conversation AS
SELECT
    cells.release,
    cells.conversation,
    cells.category,
    official_name,
    vendor_name,
    cells.* EXCLUDE (release, conversation, category)
FROM accuracy_cells AS cells
JOIN categories USING (category)
WHERE cells.conversation IS NOT NULL;

CREATE VIEW accuracy_trend AS
SELECT
    position,
    coalesce(published_at, first_measured_at) AS released_at,
    release,
    category,
    official_name,
    system,
    question_protocol,
    judge,
    dataset_sha256,
    cells.* EXCLUDE (
        release, category, system, question_protocol, judge, dataset_sha256,
        conversation, counts_in_score, question_set, conversations,
        clustered_se, clustered_df, clustered_low, clustered_high
    ),
    lag(release) OVER earlier AS previous_release,
    accuracy - lag(accuracy) OVER earlier AS accuracy_change,
    cells.question_set,
    conversations,
    clustered_se,
    clustered_df,
    clustered_low,
    clustered_high
FROM accuracy_cells AS cells
JOIN release_order USING (release)
LEFT JOIN categories USING (category)
WHERE cells.conversation IS NULL AND (category IS NOT NULL OR cells.counts_in_score)
WINDOW earlier AS (
    PARTITION BY
        dataset_sha256, system, question_protocol, judge, category, cells.question_set
    ORDER BY position
);
