-- Of each canary the newest verdict that is scored counts, else the newest.
CREATE VIEW canary_rates AS
WITH newest AS (
    SELECT
        canary.*,
        committed_at
    FROM canary_verdicts AS canary
    JOIN attempts USING (attempt_id)
    QUALIFY
        row_number() OVER (
            PARTITION BY canary.release, canary.system, judge, canary_id
            ORDER BY verdict <> 'unscored' DESC, committed_at DESC, attempt_id DESC, judged_at
        ) = 1
)
SELECT
    release,
    system,
    judge,
    count(*) AS canaries,
    count(*) FILTER (verdict = 'unscored') AS unscored,
    avg((verdict = 'correct')::INTEGER) FILTER (kind = 'right' AND verdict <> 'unscored')
        AS right_accepted,
    avg((verdict = 'correct')::INTEGER) FILTER (kind = 'wrong' AND verdict <> 'unscored')
        AS wrong_accepted,
    avg((verdict = 'correct')::INTEGER) FILTER (kind = 'vague' AND verdict <> 'unscored')
        AS vague_accepted,
    sum(cost_usd) AS cost_usd,
    max(judged_at) AS judged_at,
    count(*) FILTER (kind = 'right' AND verdict <> 'unscored') AS right_judged,
    count(*) FILTER (kind = 'wrong' AND verdict <> 'unscored') AS wrong_judged
FROM newest
GROUP BY release, system, judge;
