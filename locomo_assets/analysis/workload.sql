-- The workload of a series: requests and time of the attempts that hold its current ingestions,
-- answers and verdicts. Attempts that were superseded do not count.
WITH verdicts AS (
    SELECT answer_attempt_id, judgement_attempt_id, ingestion_id, judge_system
    FROM current_judgements
    WHERE
        release = $release
        AND system = $system
        AND judge = $judge
        AND question_protocol = $question_protocol
        AND dataset_sha256 = $dataset_sha256
),
used AS (
    SELECT answer_attempt_id AS attempt_id FROM verdicts
    UNION
    SELECT judgement_attempt_id FROM verdicts
    UNION
    SELECT attempt_id FROM ingestions SEMI JOIN verdicts USING (ingestion_id)
),
-- Every try is a row of `calls`. A request tried k times failed k - 1 times before its last try, so
-- the failed tries in excess of the repeats are the requests that failed for good. A request that
-- we cancelled is no failure of the service.
counted AS (
    SELECT
        coalesce(sum(calls), 0)::BIGINT AS tries,
        coalesce(sum(retries), 0)::BIGINT AS repeats,
        coalesce(sum(calls) FILTER (
            (error IS NOT NULL OR status >= 400)
            AND coalesce(error, '') NOT IN ('CancelledError', 'cancelled')
        ), 0)::BIGINT AS tries_failed
    FROM call_counts
    SEMI JOIN used USING (attempt_id)
),
-- Attempts overlap: the time at work is their union, without the pauses between runs.
islands AS (
    SELECT
        begun_at,
        committed_at,
        begun_at > max(committed_at) OVER (
            ORDER BY begun_at, committed_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS after_a_pause
    FROM attempts
    SEMI JOIN used USING (attempt_id)
),
numbered AS (
    SELECT
        *,
        count(*) FILTER (after_a_pause) OVER (ORDER BY begun_at, committed_at ROWS UNBOUNDED PRECEDING)
            AS island
    FROM islands
),
worked AS (
    SELECT max(epoch(committed_at)) - min(epoch(begun_at)) AS seconds
    FROM numbered
    GROUP BY island
)
SELECT
    (SELECT max(judge_system) FROM verdicts) AS judge_system,
    tries - repeats AS requests,
    tries,
    repeats,
    greatest(tries_failed - repeats, 0) AS requests_failed,
    coalesce((SELECT sum(seconds) FROM worked), 0) / 60 AS minutes
FROM counted
