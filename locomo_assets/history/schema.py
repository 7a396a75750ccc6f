"""The tables of the history, column by column: the contract of every writer and reader.

Every table begins with the lineage columns, which the store fills in from the attempt. Times are
UTC; names carry units. To evolve the schema, add nullable columns at a table's end and raise
`SCHEMA_VERSION`; never rename or retype a column. docs/house.md lists what follows from it.
"""

import pyarrow as pa

SCHEMA_VERSION = 7

_STR = pa.string()
_I32 = pa.int32()
_I64 = pa.int64()
_F64 = pa.float64()
_BOOL = pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")
_STRS = pa.list_(pa.string())

LINEAGE: tuple[tuple[str, pa.DataType], ...] = (
    ("attempt_id", _STR),
    ("run_id", _STR),
    ("asset", _STR),
    ("release", _STR),  # null for the data set's own tables
    ("conversation", _STR),
    ("code_version", _STR),
    ("dataset_sha256", _STR),
    ("system", _STR),  # what was measured: `backboard`, `standin`, …; null for data set tables
    ("written_at", _TIME),
)

_OWN: dict[str, tuple[tuple[str, pa.DataType], ...]] = {
    # the data set
    "conversations": (
        ("speaker_a", _STR),
        ("speaker_b", _STR),
        ("sessions", _I32),
        ("turns", _I32),
        ("questions", _I32),
        ("source", _STR),
    ),
    "sessions": (
        ("session_index", _I32),
        ("started_at", _TIME),
        ("date_text", _STR),
        ("turns", _I32),
    ),
    "turns": (
        ("session_index", _I32),
        ("turn_index", _I32),
        ("dia_id", _STR),
        ("speaker", _STR),
        ("text", _STR),
        ("image_urls", _STRS),
        ("image_query", _STR),
        ("image_caption", _STR),
    ),
    "questions": (
        ("question_index", _I32),
        ("category", _I32),
        ("question", _STR),
        ("gold_answer", _STR),
        ("adversarial_answer", _STR),
        ("evidence_as_written", _STRS),
        ("evidence", _STRS),
        ("evidence_unresolved", _STRS),
    ),
    # what was measured
    "releases": (
        ("source", _STR),  # what registered it: `person`, `schedule`, `imported`, a feed's kind
        ("published_at", _TIME),
        ("registered_at", _TIME),
        ("url", _STR),
        ("kind", _STR),  # `full`, or `sample` (a few questions, nothing newly ingested)
        ("missed", _BOOL),  # seen in the feed too late to be measured
    ),
    # the release that later ones are compared with: the newest row of all counts
    "pinned_baselines": (
        ("pinned", _BOOL),  # false where it was unpinned
        ("noted_at", _TIME),
    ),
    # which release the feed named as current, before and after paid work for a release
    "release_checks": (
        ("stage", _STR),  # ingested_memories, answers
        ("moment", _STR),  # before, after
        ("verdict", _STR),  # as_labelled, release_changed, other_release, exempt, unknown
        ("feed", _STR),  # kind and address; null where none is configured
        ("feed_release", _STR),  # null where unknown
        ("reason", _STR),
        ("checked_at", _TIME),
    ),
    # ingestion: one row per attempt, then per turn, per memory operation, per memory
    "ingestions": (
        ("ingestion_id", _STR),
        ("fingerprint", _STR),
        ("assistant_id", _STR),
        ("base_url", _STR),
        ("ingest_protocol", _STR),
        ("llm_provider", _STR),
        ("llm_model", _STR),
        ("sessions", _I32),
        ("turns", _I32),
        ("turns_ingested", _I32),
        ("operations_completed", _I32),
        ("operations_failed", _I32),
        ("operations_timed_out", _I32),
        ("memories", _I32),
        ("started_at", _TIME),
        ("ended_at", _TIME),
        ("duration_s", _F64),
        ("options_json", _STR),  # of the service's options what was set; null for none
    ),
    "ingested_turns": (
        ("ingestion_id", _STR),
        ("assistant_id", _STR),
        ("session_index", _I32),
        ("turn_index", _I32),
        ("dia_id", _STR),
        ("thread_id", _STR),
        ("message_id", _STR),
        ("memory_operation_id", _STR),
        ("sent_at", _TIME),
        ("latency_ms", _F64),
    ),
    "memory_operations": (
        ("ingestion_id", _STR),
        ("memory_operation_id", _STR),
        ("session_index", _I32),
        ("turn_index", _I32),
        ("dia_id", _STR),
        ("status", _STR),  # completed, error, timed_out
        ("memory_ids", _STRS),
        ("wait_ms", _F64),
        ("ended_at", _TIME),
    ),
    "memories": (
        ("ingestion_id", _STR),
        ("memory_id", _STR),
        ("memory", _STR),
        ("metadata_json", _STR),
        ("created_at", _TIME),
        ("updated_at", _TIME),
    ),
    # answers
    "answers": (
        ("answer_id", _STR),
        ("fingerprint", _STR),
        ("ingestion_id", _STR),
        ("question_index", _I32),
        ("category", _I32),
        ("question", _STR),
        ("question_protocol", _STR),
        ("memory_mode", _STR),
        ("llm_provider", _STR),
        ("llm_model", _STR),
        ("outcome", _STR),  # answered, unanswered
        ("reason", _STR),  # why unanswered
        ("answer", _STR),
        ("thread_id", _STR),
        ("message_id", _STR),
        ("memory_operation_id", _STR),
        ("retrieved", _I32),
        ("input_tokens", _I64),
        ("output_tokens", _I64),
        ("cost_usd", _F64),
        ("first_chunk_ms", _F64),
        ("latency_ms", _F64),
        ("in_flight", _I32),  # requests at this endpoint when it was sent, including itself
        ("asked_at", _TIME),
        ("kind", _STR),  # `full` or `sample`; null in older rows means full
        ("sample_id", _STR),  # which set of questions was asked; null for full
        ("options_json", _STR),  # of the service's options what was set; null for none
        # with an answering model of one's own; null where the memory service answered
        ("answer_system", _STR),  # `openai`, `standin`, a host
        ("prompt_name", _STR),
        ("prompt_sha256", _STR),
        ("memory_tokens", _I64),  # the memories' part of input_tokens
        ("retrieval_id", _STR),  # of `retrievals`, which one retrieval's answers share
    ),
    "retrieved_memories": (
        ("answer_id", _STR),
        ("question_index", _I32),
        ("rank", _I32),  # from 1
        ("memory_id", _STR),
        ("memory", _STR),
        ("score", _F64),
    ),
    # all that was retrieved for a question without a model; what the answering model was given of
    # it is in retrieved_memories
    "retrievals": (
        ("retrieval_id", _STR),
        ("fingerprint", _STR),
        ("ingestion_id", _STR),
        ("question_index", _I32),
        ("rank", _I32),  # from 1; null in the one row of a retrieval that found nothing
        ("memory_id", _STR),
        ("memory", _STR),
        ("score", _F64),
        ("path", _STR),  # search, message
        ("latency_ms", _F64),
        ("retrieved_at", _TIME),
        ("memory_date", _TIME),  # when it was said, where the service tells
    ),
    # verdicts
    "judgements": (
        ("judgement_id", _STR),
        ("fingerprint", _STR),
        ("answer_id", _STR),
        ("ingestion_id", _STR),
        ("question_index", _I32),
        ("category", _I32),
        ("question_protocol", _STR),
        ("judge", _STR),
        ("judge_system", _STR),  # `lexical`, `openai`, `standin`, a host, an endpoint
        ("judge_model", _STR),
        ("prompt_name", _STR),
        ("prompt_sha256", _STR),
        ("judge_parameters_json", _STR),
        ("votes", _I32),
        ("agreement", _F64),
        ("verdict", _STR),  # correct, wrong, unscored, unanswered
        ("reasoning", _STR),
        ("reason", _STR),  # why unscored or unanswered
        ("reused_from_judgement_id", _STR),  # set where an identical verdict was already paid for
        ("input_tokens", _I64),
        ("output_tokens", _I64),
        ("cost_usd", _F64),
        ("latency_ms", _F64),  # null for a batch
        ("judged_at", _TIME),
        ("asked_by", _STR),  # direct, batch; null where nothing was asked, and before version 3
        ("batch_id", _STR),  # as named by the judge's server
        ("audit_sha256", _STR),  # set where the judge works with an audit's gold answers
        ("corrected_gold_answer", _STR),  # what the judge was given, where the audit corrects it
        ("kind", _STR),  # of the answer
    ),
    # faults in gold answers, as named by an audit of the data set
    "gold_faults": (
        ("audit_sha256", _STR),
        ("audit_source", _STR),
        ("question_index", _I32),
        ("category", _I32),
        ("question", _STR),
        ("gold_answer", _STR),
        ("error_type", _STR),
        ("corrupts_score", _BOOL),  # false where only the evidence is wrong
        ("cited_evidence", _STRS),
        ("correct_evidence", _STRS),
        ("correct_answer", _STR),  # null where the gold answer is right or no correction is known
        ("reasoning", _STR),
    ),
    # a release's judge on answers whose right verdict is known; the conversation is null
    "canary_verdicts": (
        ("canary_id", _STR),
        ("kind", _STR),  # right, wrong, vague
        ("canaries_sha256", _STR),
        ("judge", _STR),
        ("judge_system", _STR),
        ("judge_model", _STR),
        ("prompt_name", _STR),
        ("prompt_sha256", _STR),
        ("judge_parameters_json", _STR),
        ("votes", _I32),
        ("agreement", _F64),
        ("verdict", _STR),  # correct, wrong, unscored
        ("reasoning", _STR),
        ("reason", _STR),
        ("input_tokens", _I64),
        ("output_tokens", _I64),
        ("cost_usd", _F64),
        ("latency_ms", _F64),
        ("judged_at", _TIME),
    ),
    # answers that a person has read; the attempt's conversation is null, its rows name theirs
    "judge_labels": (
        ("question_index", _I32),
        ("category", _I32),
        ("question", _STR),
        ("answer", _STR),
        ("label", _STR),  # right, wrong
        ("labelled_by", _STR),
        ("file", _STR),
        ("file_sha256", _STR),
    ),
    # every HTTP request of an attempt, including those inside a judge's batch
    "calls": (
        ("call_id", _STR),
        ("service", _STR),  # backboard, judge, answerer
        # method and path template, e.g. `POST /threads/{id}/messages`; or BATCH and path
        ("endpoint", _STR),
        ("status", _I32),  # null without a response
        ("error", _STR),  # null, or the kind of failure
        ("attempt", _I32),  # from 1
        ("latency_ms", _F64),
        ("in_flight", _I32),
        ("input_tokens", _I64),
        ("output_tokens", _I64),
        ("cost_usd", _F64),
        ("started_at", _TIME),
        ("request_id", _STR),
    ),
    # the files of an import; the conversation is null where a file holds several
    "imported_files": (
        ("file", _STR),
        ("file_sha256", _STR),
        ("size_bytes", _I64),
        ("format", _STR),  # backboard-published, jsonl
        ("questions", _I32),  # questions in the file, answered or not
    ),
    # what an ingestion needs, beside its turns and operations, to resume after a kill
    "ingest_journal": (
        ("ingestion_id", _STR),
        # begun (once per process), assistant_created, thread_created, thread_doubted, damaged
        ("event", _STR),
        ("assistant_name", _STR),
        ("assistant_id", _STR),
        ("session_index", _I32),
        ("thread_id", _STR),
        ("noted_at", _TIME),
        ("reason", _STR),  # why damaged
    ),
    # where each question was to be asked, noted before it was: its answer may be there
    "question_threads": (
        ("question_index", _I32),
        ("thread_id", _STR),
        ("noted_at", _TIME),
    ),
    # runs that stop once a comparison is decided: what their last look said; a row a run
    "stopped_runs": (
        ("against", _STR),  # the release compared with
        ("question_protocol", _STR),
        ("judge", _STR),
        ("look", _I32),  # from 1
        ("looks", _I32),  # that there may be
        ("questions", _I32),  # of that look
        ("of_questions", _I32),  # of all that a whole run asks
        ("decision", _STR),  # better, worse, equivalent, cannot tell
        ("difference", _F64),
        ("p_differs", _F64),
        ("p_equivalent", _F64),
        ("bound_differs", _F64),  # what the p-value had to be below
        ("bound_equivalent", _F64),
        ("margin_points", _F64),
        ("order_seed", _STR),  # of the random order of the questions
        ("looked_at", _TIME),
    ),
    # what a ladder of configurations measured of a release; the newest attempt of its name counts
    "ladder_steps": (
        ("ladder", _STR),
        ("file_sha256", _STR),
        ("step_index", _I32),  # from 0, the base
        ("step", _STR),
        ("changed", _STR),  # in words, against the parent
        ("configuration_json", _STR),  # the settings that differ from their defaults
        ("question_protocol", _STR),
        ("judge", _STR),
        ("noted_at", _TIME),
        ("parent_step", _STR),  # which one it changes: mostly the step before; null for the base
    ),
    # what batches of verdicts need to resume after a kill
    "judge_batches": (
        ("token", _STR),  # our own name for the batch, in its metadata at the server
        ("event", _STR),  # intended, created, never_created, collected
        ("batch_id", _STR),
        ("fingerprints", _STRS),  # intended: of the verdicts asked for
        ("status", _STR),  # collected: completed, failed, expired, cancelled, gone
        ("noted_at", _TIME),
    ),
}

TABLES: dict[str, pa.Schema] = {
    name: pa.schema([pa.field(n, t) for n, t in (*LINEAGE, *own)]) for name, own in _OWN.items()
}
"""Table name → Arrow schema, lineage columns first."""

ASSET_TABLES: dict[str, tuple[str, ...]] = {
    "locomo_dataset": ("conversations", "sessions", "turns", "questions"),
    "gold_audit": ("gold_faults",),
    "releases": ("releases",),
    "pinned_baselines": ("pinned_baselines",),
    "ingested_memories": (
        "ingestions",
        "ingested_turns",
        "memory_operations",
        "memories",
        "calls",
        "ingest_journal",
        "release_checks",
    ),
    # a mark: the ingestion does not count any more
    "damaged_ingestions": ("ingest_journal",),
    "answers": (
        "answers",
        "retrieved_memories",
        "retrievals",
        "calls",
        "release_checks",
        "question_threads",
    ),
    "ladder": ("ladder_steps",),
    "judgements": ("judgements", "calls", "judge_batches"),
    "judge_canaries": ("canary_verdicts", "calls"),
    "judge_labels": ("judge_labels",),
    "stopped_runs": ("stopped_runs",),
    # checks that refused the work; work that was done keeps its checks in its own attempt
    "release_checks": ("release_checks",),
    "imported_results": (
        "imported_files",
        "releases",
        "answers",
        "retrieved_memories",
        "judgements",
    ),
}
"""Which tables an attempt of an asset may write."""
