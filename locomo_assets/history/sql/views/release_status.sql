-- What the release feed said before and after each stage's paid work; the verdict is the worst of
-- an attempt's checks. An attempt of the asset `release_checks` is work that was refused.
CREATE VIEW release_verdicts AS
WITH ranked AS (
    SELECT
        *,
        list_position(
            ['as_labelled', 'exempt', 'unknown', 'release_changed', 'other_release'], verdict
        ) AS severity
    FROM release_checks
)
SELECT
    release,
    conversation,
    stage,
    arg_max(verdict, severity) AS verdict,
    bool_or(verdict = 'other_release') AS refused,
    any_value(feed) AS feed,
    arg_min(feed_release, checked_at) FILTER (moment = 'before') AS release_before,
    arg_max(feed_release, checked_at) FILTER (moment = 'after') AS release_after,
    arg_max(reason, (severity, checked_at)) AS reason,
    max(checked_at) AS checked_at,
    ranked.attempt_id,
    any_value(run_id) AS run_id,
    any_value(committed_at) AS committed_at
FROM ranked
JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
GROUP BY release, conversation, stage, ranked.attempt_id;

-- The release that a person pinned, with which later ones are compared: one row or none.
CREATE VIEW current_baseline AS
SELECT release, noted_at AS pinned_at, run_id
FROM (
    SELECT * FROM pinned_baselines JOIN (SELECT attempt_id, committed_at FROM attempts) USING (attempt_id)
    ORDER BY committed_at DESC, attempt_id DESC
    LIMIT 1
)
WHERE pinned;

-- Every release: where its name comes from, how far it was measured, and whether the service was
-- at that release meanwhile. `release_check` is the worst over the newest attempts of its
-- conversations' stages; null where nothing was checked yet.
CREATE VIEW release_status AS
WITH registered AS (
    SELECT
        release,
        arg_max(source, (registered_at, attempt_id)) AS source,
        arg_max(kind, (registered_at, attempt_id)) AS kind,
        arg_max(missed, (registered_at, attempt_id)) AS missed,
        arg_max(published_at, (registered_at, attempt_id)) AS published_at,
        arg_max(url, (registered_at, attempt_id)) AS url,
        min(registered_at) AS registered_at
    FROM releases
    GROUP BY release
),
measured AS (
    SELECT
        release,
        min(begun_at) AS first_measured_at,
        max(committed_at) AS last_measured_at,
        count(DISTINCT conversation) FILTER (asset = 'judgements') AS conversations_judged
    FROM attempts
    WHERE asset IN ('ingested_memories', 'answers', 'judgements')
    GROUP BY release
),
newest AS (
    SELECT *
    FROM release_verdicts
    WHERE NOT refused
    QUALIFY row_number() OVER (
        PARTITION BY release, conversation, stage ORDER BY committed_at DESC, attempt_id DESC
    ) = 1
),
checked AS (
    SELECT
        release,
        arg_max(
            verdict,
            list_position(['as_labelled', 'exempt', 'unknown', 'release_changed'], verdict)
        ) AS release_check,
        count(DISTINCT conversation) FILTER (verdict = 'release_changed') AS conversations_changed
    FROM newest
    GROUP BY release
),
refusals AS (
    SELECT release, count(*) AS refusals FROM release_verdicts WHERE refused GROUP BY release
)
SELECT
    release,
    CASE
        WHEN source = 'imported' THEN 'imported'
        WHEN first_measured_at IS NOT NULL THEN 'measured'
        WHEN missed THEN 'missed'
        ELSE 'registered'
    END AS state,
    coalesce(kind, 'full') AS kind,
    source,
    published_at,
    registered_at,
    url,
    first_measured_at,
    last_measured_at,
    coalesce(conversations_judged, 0) AS conversations_judged,
    release_check,
    coalesce(conversations_changed, 0) AS conversations_changed,
    coalesce(refusals, 0) AS refusals,
    release IN (SELECT release FROM current_baseline) AS pinned
FROM registered
FULL JOIN measured USING (release)
LEFT JOIN checked USING (release)
LEFT JOIN refusals USING (release);
