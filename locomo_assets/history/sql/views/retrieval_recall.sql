-- How much evidence the first k retrieved memories hold, and how accurate answers from them are.
-- Series that differ in k alone share their retrievals, so each k is told of, measured or not; what
-- only an answer tells (accuracy, memory tokens) is null where no series has that k. A message gives
-- as many as the service chooses: beyond them only the k of a series is told of. A question counts if a memory of it can be traced (`memory_turns`), or if nothing was retrieved.
CREATE VIEW retrieval_recall AS
WITH own AS (
    SELECT
        *,
        regexp_extract(question_protocol, ', k (\d+)', 1)::INTEGER AS k,
        regexp_replace(question_protocol, ', k \d+', '') AS family
    FROM current_answers
    WHERE protocol_name(question_protocol) = 'retrieval'
),
families AS (
    SELECT
        release,
        system,
        dataset_sha256,
        family,
        regexp_replace(any_value(question_protocol), ', k \d+', ', k {k}') AS label,
        list(DISTINCT k) AS measured
    FROM own
    GROUP BY release, system, dataset_sha256, family
),
asked AS (
    SELECT
        own.release,
        own.system,
        own.dataset_sha256,
        own.family,
        own.conversation,
        own.question_index,
        q.evidence,
        arg_max(own.retrieval_id, (own.committed_at, own.attempt_id)) AS retrieval_id
    FROM own
    JOIN current_questions AS q USING (dataset_sha256, conversation, question_index)
    WHERE own.retrieval_id IS NOT NULL AND len(q.evidence) > 0 AND own.category <= 4
    GROUP BY ALL
),
ranked AS (
    SELECT DISTINCT
        release,
        conversation,
        ingestion_id,
        retrieval_id,
        rank,
        coalesce(memory_id, md5(memory)) AS memory_key
    FROM retrievals
    SEMI JOIN asked USING (retrieval_id)
),
found AS (
    SELECT
        ranked.retrieval_id,
        list({rank: rank, dia_id: dia_id}) FILTER (dia_id IS NOT NULL) AS turns,
        count(rank) AS memories
    FROM ranked
    LEFT JOIN memory_turns AS t USING (release, conversation, ingestion_id, memory_key)
    GROUP BY ranked.retrieval_id
),
known AS (
    SELECT asked.*, coalesce(found.turns, []) AS turns
    FROM asked
    JOIN found USING (retrieval_id)
    WHERE found.turns IS NOT NULL OR found.memories = 0
),
retrieved AS (
    SELECT
        asked.release,
        asked.system,
        asked.dataset_sha256,
        asked.family,
        CASE WHEN bool_or(r.path = 'message') THEN coalesce(max(r.rank), 0) END AS at_most
    FROM asked
    JOIN retrievals AS r USING (retrieval_id)
    GROUP BY ALL
),
recalled AS (
    SELECT
        families.*,
        unnest(list_sort(list_distinct(list_concat(
            list_filter([5, 10, 20, 50], lambda one: one <= coalesce(at_most, 50)), measured
        )))) AS k
    FROM families
    LEFT JOIN retrieved USING (release, system, dataset_sha256, family)
),
recall AS (
    SELECT
        recalled.release,
        recalled.system,
        recalled.dataset_sha256,
        recalled.family,
        recalled.k,
        replace(recalled.label, '{k}', recalled.k::VARCHAR) AS question_protocol,
        count(known.retrieval_id) AS questions,
        avg(
            len(list_filter(
                known.evidence,
                lambda turn: list_contains(
                    list_transform(
                        list_filter(known.turns, lambda one: one.rank <= recalled.k),
                        lambda one: one.dia_id
                    ),
                    turn
                )
            )) / len(known.evidence)
        ) AS evidence_recall
    FROM recalled
    LEFT JOIN known
        ON
            known.release = recalled.release
            AND known.system IS NOT DISTINCT FROM recalled.system
            AND known.dataset_sha256 = recalled.dataset_sha256
            AND known.family = recalled.family
    GROUP BY ALL
),
tokens AS (
    SELECT release, system, dataset_sha256, question_protocol, avg(memory_tokens) AS memory_tokens
    FROM own
    GROUP BY ALL
)
SELECT
    recall.release,
    recall.system,
    recall.question_protocol,
    recall.dataset_sha256,
    recall.k,
    recall.questions,
    recall.evidence_recall,
    tokens.memory_tokens,
    accuracy.judge,
    accuracy.accuracy,
    accuracy.scored
FROM recall
LEFT JOIN tokens
    ON
        tokens.release = recall.release
        AND tokens.system IS NOT DISTINCT FROM recall.system
        AND tokens.dataset_sha256 = recall.dataset_sha256
        AND tokens.question_protocol = recall.question_protocol
LEFT JOIN accuracy_by_release AS accuracy
    ON
        accuracy.release = recall.release
        AND accuracy.system IS NOT DISTINCT FROM recall.system
        AND accuracy.dataset_sha256 = recall.dataset_sha256
        AND accuracy.question_protocol = recall.question_protocol;
