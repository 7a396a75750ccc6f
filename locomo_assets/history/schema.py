"""The tables of the history, column by column: the contract of every writer and reader.

Every table begins with the lineage columns, which the store fills in from the attempt. Times are
UTC; names carry units. To evolve the schema, add nullable columns at a table's end and raise
`SCHEMA_VERSION`; never rename or retype a column. docs/house.md lists what follows from it.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from locomo_assets.history.column_types import (
    BOOL,
    F64,
    I32,
    I64,
    STR,
    STRS,
    TIME,
    Columns,
    arrow_schema,
    schema_text,
)

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 7

LINEAGE: Columns = (
    ("attempt_id", STR),
    ("run_id", STR),
    ("asset", STR),
    ("release", STR),  # null for the data set's own tables
    ("conversation", STR),
    ("code_version", STR),
    ("dataset_sha256", STR),
    ("system", STR),  # what was measured: `backboard`, `standin`, …; null for data set tables
    ("written_at", TIME),
)

_OWN: dict[str, Columns] = {
    # the data set
    "conversations": (
        ("speaker_a", STR),
        ("speaker_b", STR),
        ("sessions", I32),
        ("turns", I32),
        ("questions", I32),
        ("source", STR),
    ),
    "sessions": (
        ("session_index", I32),
        ("started_at", TIME),
        ("date_text", STR),
        ("turns", I32),
    ),
    "turns": (
        ("session_index", I32),
        ("turn_index", I32),
        ("dia_id", STR),
        ("speaker", STR),
        ("text", STR),
        ("image_urls", STRS),
        ("image_query", STR),
        ("image_caption", STR),
    ),
    "questions": (
        ("question_index", I32),
        ("category", I32),
        ("question", STR),
        ("gold_answer", STR),
        ("adversarial_answer", STR),
        ("evidence_as_written", STRS),
        ("evidence", STRS),
        ("evidence_unresolved", STRS),
    ),
    # what was measured
    "releases": (
        ("source", STR),  # what registered it: `person`, `schedule`, `imported`, a feed's kind
        ("published_at", TIME),
        ("registered_at", TIME),
        ("url", STR),
        ("kind", STR),  # `full`, or `sample` (a few questions, nothing newly ingested)
        ("missed", BOOL),  # seen in the feed too late to be measured
    ),
    # the release that later ones are compared with: the newest row of all counts
    "pinned_baselines": (
        ("pinned", BOOL),  # false where it was unpinned
        ("noted_at", TIME),
    ),
    # which release the feed named as current, before and after paid work for a release
    "release_checks": (
        ("stage", STR),  # ingested_memories, answers
        ("moment", STR),  # before, after
        ("verdict", STR),  # as_labelled, release_changed, other_release, exempt, unknown
        ("feed", STR),  # kind and address; null where none is configured
        ("feed_release", STR),  # null where unknown
        ("reason", STR),
        ("checked_at", TIME),
    ),
    # ingestion: one row per attempt, then per turn, per memory operation, per memory
    "ingestions": (
        ("ingestion_id", STR),
        ("fingerprint", STR),
        ("assistant_id", STR),
        ("base_url", STR),
        ("ingest_protocol", STR),
        ("llm_provider", STR),
        ("llm_model", STR),
        ("sessions", I32),
        ("turns", I32),
        ("turns_ingested", I32),
        ("operations_completed", I32),
        ("operations_failed", I32),
        ("operations_timed_out", I32),
        ("memories", I32),
        ("started_at", TIME),
        ("ended_at", TIME),
        ("duration_s", F64),
        ("options_json", STR),  # of the service's options what was set; null for none
    ),
    "ingested_turns": (
        ("ingestion_id", STR),
        ("assistant_id", STR),
        ("session_index", I32),
        ("turn_index", I32),
        ("dia_id", STR),
        ("thread_id", STR),
        ("message_id", STR),
        ("memory_operation_id", STR),
        ("sent_at", TIME),
        ("latency_ms", F64),
    ),
    "memory_operations": (
        ("ingestion_id", STR),
        ("memory_operation_id", STR),
        ("session_index", I32),
        ("turn_index", I32),
        ("dia_id", STR),
        ("status", STR),  # completed, error, timed_out
        ("memory_ids", STRS),
        ("wait_ms", F64),
        ("ended_at", TIME),
    ),
    "memories": (
        ("ingestion_id", STR),
        ("memory_id", STR),
        ("memory", STR),
        ("metadata_json", STR),
        ("created_at", TIME),
        ("updated_at", TIME),
    ),
    # answers
    "answers": (
        ("answer_id", STR),
        ("fingerprint", STR),
        ("ingestion_id", STR),
        ("question_index", I32),
        ("category", I32),
        ("question", STR),
        ("question_protocol", STR),
        ("memory_mode", STR),
        ("llm_provider", STR),
        ("llm_model", STR),
        ("outcome", STR),  # answered, unanswered
        ("reason", STR),  # why unanswered
        ("answer", STR),
        ("thread_id", STR),
        ("message_id", STR),
        ("memory_operation_id", STR),
        ("retrieved", I32),
        ("input_tokens", I64),
        ("output_tokens", I64),
        ("cost_usd", F64),
        ("first_chunk_ms", F64),
        ("latency_ms", F64),
        ("in_flight", I32),  # requests at this endpoint when it was sent, including itself
        ("asked_at", TIME),
        ("kind", STR),  # `full` or `sample`; null in older rows means full
        ("sample_id", STR),  # which set of questions was asked; null for full
        ("options_json", STR),  # of the service's options what was set; null for none
        # with an answering model of one's own; null where the memory service answered
        ("answer_system", STR),  # `openai`, `standin`, a host
        ("prompt_name", STR),
        ("prompt_sha256", STR),
        ("memory_tokens", I64),  # the memories' part of input_tokens
        ("retrieval_id", STR),  # of `retrievals`, which one retrieval's answers share
    ),
    "retrieved_memories": (
        ("answer_id", STR),
        ("question_index", I32),
        ("rank", I32),  # from 1
        ("memory_id", STR),
        ("memory", STR),
        ("score", F64),
    ),
    # all that was retrieved for a question without a model; what the answering model was given of
    # it is in retrieved_memories
    "retrievals": (
        ("retrieval_id", STR),
        ("fingerprint", STR),
        ("ingestion_id", STR),
        ("question_index", I32),
        ("rank", I32),  # from 1; null in the one row of a retrieval that found nothing
        ("memory_id", STR),
        ("memory", STR),
        ("score", F64),
        ("path", STR),  # search, message
        ("latency_ms", F64),
        ("retrieved_at", TIME),
        ("memory_date", TIME),  # when it was said, where the service tells
    ),
    # verdicts
    "judgements": (
        ("judgement_id", STR),
        ("fingerprint", STR),
        ("answer_id", STR),
        ("ingestion_id", STR),
        ("question_index", I32),
        ("category", I32),
        ("question_protocol", STR),
        ("judge", STR),
        ("judge_system", STR),  # `lexical`, `openai`, `standin`, a host, an endpoint
        ("judge_model", STR),
        ("prompt_name", STR),
        ("prompt_sha256", STR),
        ("judge_parameters_json", STR),
        ("votes", I32),
        ("agreement", F64),
        ("verdict", STR),  # correct, wrong, unscored, unanswered
        ("reasoning", STR),
        ("reason", STR),  # why unscored or unanswered
        ("reused_from_judgement_id", STR),  # set where an identical verdict was already paid for
        ("input_tokens", I64),
        ("output_tokens", I64),
        ("cost_usd", F64),
        ("latency_ms", F64),  # null for a batch
        ("judged_at", TIME),
        ("asked_by", STR),  # direct, batch; null where nothing was asked, and before version 3
        ("batch_id", STR),  # as named by the judge's server
        ("audit_sha256", STR),  # set where the judge works with an audit's gold answers
        ("corrected_gold_answer", STR),  # what the judge was given, where the audit corrects it
        ("kind", STR),  # of the answer
    ),
    # faults in gold answers, as named by an audit of the data set
    "gold_faults": (
        ("audit_sha256", STR),
        ("audit_source", STR),
        ("question_index", I32),
        ("category", I32),
        ("question", STR),
        ("gold_answer", STR),
        ("error_type", STR),
        ("corrupts_score", BOOL),  # false where only the evidence is wrong
        ("cited_evidence", STRS),
        ("correct_evidence", STRS),
        ("correct_answer", STR),  # null where the gold answer is right or no correction is known
        ("reasoning", STR),
    ),
    # a release's judge on answers whose right verdict is known; the conversation is null
    "canary_verdicts": (
        ("canary_id", STR),
        ("kind", STR),  # right, wrong, vague
        ("canaries_sha256", STR),
        ("judge", STR),
        ("judge_system", STR),
        ("judge_model", STR),
        ("prompt_name", STR),
        ("prompt_sha256", STR),
        ("judge_parameters_json", STR),
        ("votes", I32),
        ("agreement", F64),
        ("verdict", STR),  # correct, wrong, unscored
        ("reasoning", STR),
        ("reason", STR),
        ("input_tokens", I64),
        ("output_tokens", I64),
        ("cost_usd", F64),
        ("latency_ms", F64),
        ("judged_at", TIME),
    ),
    # answers that a person has read; the attempt's conversation is null, its rows name theirs
    "judge_labels": (
        ("question_index", I32),
        ("category", I32),
        ("question", STR),
        ("answer", STR),
        ("label", STR),  # right, wrong
        ("labelled_by", STR),
        ("file", STR),
        ("file_sha256", STR),
    ),
    # every HTTP request of an attempt, including those inside a judge's batch
    "calls": (
        ("call_id", STR),
        ("service", STR),  # backboard, judge, answerer
        # method and path template, e.g. `POST /threads/{id}/messages`; or BATCH and path
        ("endpoint", STR),
        ("status", I32),  # null without a response
        ("error", STR),  # null, or the kind of failure
        ("attempt", I32),  # from 1
        ("latency_ms", F64),
        ("in_flight", I32),
        ("input_tokens", I64),
        ("output_tokens", I64),
        ("cost_usd", F64),
        ("started_at", TIME),
        ("request_id", STR),
    ),
    # the files of an import; the conversation is null where a file holds several
    "imported_files": (
        ("file", STR),
        ("file_sha256", STR),
        ("size_bytes", I64),
        ("format", STR),  # backboard-published, jsonl
        ("questions", I32),  # questions in the file, answered or not
    ),
    # what an ingestion needs, beside its turns and operations, to resume after a kill
    "ingest_journal": (
        ("ingestion_id", STR),
        # begun (once per process), assistant_created, thread_created, thread_doubted, damaged
        ("event", STR),
        ("assistant_name", STR),
        ("assistant_id", STR),
        ("session_index", I32),
        ("thread_id", STR),
        ("noted_at", TIME),
        ("reason", STR),  # why damaged
    ),
    # where each question was to be asked, noted before it was: its answer may be there
    "question_threads": (
        ("question_index", I32),
        ("thread_id", STR),
        ("noted_at", TIME),
    ),
    # runs that stop once a comparison is decided: what their last look said; a row a run
    "stopped_runs": (
        ("against", STR),  # the release compared with
        ("question_protocol", STR),
        ("judge", STR),
        ("look", I32),  # from 1
        ("looks", I32),  # that there may be
        ("questions", I32),  # of that look
        ("of_questions", I32),  # of all that a whole run asks
        ("decision", STR),  # better, worse, equivalent, cannot tell
        ("difference", F64),
        ("p_differs", F64),
        ("p_equivalent", F64),
        ("bound_differs", F64),  # what the p-value had to be below
        ("bound_equivalent", F64),
        ("margin_points", F64),
        ("order_seed", STR),  # of the random order of the questions
        ("looked_at", TIME),
    ),
    # what a ladder of configurations measured of a release; the newest attempt of its name counts
    "ladder_steps": (
        ("ladder", STR),
        ("file_sha256", STR),
        ("step_index", I32),  # from 0, the base
        ("step", STR),
        ("changed", STR),  # in words, against the parent
        ("configuration_json", STR),  # the settings that differ from their defaults
        ("question_protocol", STR),
        ("judge", STR),
        ("noted_at", TIME),
        ("parent_step", STR),  # which one it changes: mostly the step before; null for the base
    ),
    # what batches of verdicts need to resume after a kill
    "judge_batches": (
        ("token", STR),  # our own name for the batch, in its metadata at the server
        ("event", STR),  # intended, created, never_created, collected
        ("batch_id", STR),
        ("fingerprints", STRS),  # intended: of the verdicts asked for
        ("status", STR),  # collected: completed, failed, expired, cancelled, gone
        ("noted_at", TIME),
    ),
}


class _Schemas(Mapping[str, "pa.Schema"]):
    """Each is made when it is asked for: to answer a question in SQL takes no Arrow."""

    def __getitem__(self, table: str) -> "pa.Schema":
        return arrow_schema((*LINEAGE, *_OWN[table]))

    def __iter__(self) -> Iterator[str]:
        return iter(_OWN)

    def __len__(self) -> int:
        return len(_OWN)


TABLES: Mapping[str, "pa.Schema"] = _Schemas()
"""Table name → Arrow schema, lineage columns first."""


def schema_texts() -> dict[str, str]:
    """Table name → its schema as text, without Arrow."""
    return {name: schema_text((*LINEAGE, *own)) for name, own in _OWN.items()}


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
