-- How many labelled answers of a file each judge has scored, right and wrong ones, with all that it
-- has of any file on the data set; the judge is null for those that none has.
WITH of_file AS (
    SELECT
        dataset_sha256,
        judge,
        count(*) FILTER (label = 'right') AS of_file_right,
        count(*) FILTER (label = 'wrong') AS of_file_wrong
    FROM labelled_verdicts
    WHERE file_sha256 = $1
    GROUP BY ALL
)
SELECT
    judge,
    sum(of_file_right)::BIGINT AS of_file_right,
    sum(of_file_wrong)::BIGINT AS of_file_wrong,
    coalesce(max(right_n), 0) AS all_right,
    coalesce(max(wrong_n), 0) AS all_wrong
FROM of_file
LEFT JOIN (FROM judge_error_rates WHERE source = 'labels') USING (dataset_sha256, judge)
GROUP BY judge
ORDER BY judge NULLS LAST
