"""A pending verdict, its gold answer, and the rows of each way to have a verdict.

A verdict depends on question, gold answer, answer and judge alone. So an equal one that was given
before, in any release, is reused. The variant of the gold answers (the data set's, or an audit's
in place of faulty ones) is part of a series' judge, and so is the judge's server.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from locomo_assets.completions.asker import OPENAI, host_of
from locomo_assets.history.errors import HistoryDamagedError, HistoryUnreachableError
from locomo_assets.history.provenance import Manifest, ManifestName, path_label
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import (
    NO_WORDS,
    Case,
    JudgeIdentity,
    Judgement,
    has_words,
    judged_here,
    on_corrected_gold,
)
from locomo_assets.locomo.model import AuditError, Question
from locomo_assets.prices import FREE_SYSTEMS, LEXICAL
from locomo_assets.runs.checkpoint import Row
from locomo_assets.runs.context import RunContext, Task, fingerprint
from locomo_assets.runs.run_slots import services_at, services_of_earlier_runs

_DECLINED = "Not mentioned in the conversation"
"""Right in category 5 is to decline: what the speaker never said can't be known."""


@dataclass(frozen=True, slots=True)
class Gold:
    """`audit_sha256` is None for the data set's own; `corrected` are its answers by question.

    `imported_judges` are those whose verdicts on the same answers were imported.
    """

    audit_sha256: str | None = None
    corrected: Mapping[int, str] = field(default_factory=dict, hash=False)
    imported_judges: frozenset[str] = frozenset()

    def answer(self, question: Question) -> str:
        """What the judge is given for a question."""
        corrected = self.corrected.get(question.question_index)
        if corrected is not None:
            return corrected
        return question.gold_answer or (_DECLINED if question.category == 5 else "")

    def judge(self, judge: JudgeIdentity) -> str:
        """Who judged, as series are told apart by."""
        if self.audit_sha256 is not None:
            return on_corrected_gold(judge.name, self.audit_sha256)
        return judged_here(judge.name) if judge.name in self.imported_judges else judge.name

    def row(self, judge: JudgeIdentity, question: Question) -> Row:
        """The judge's columns of a verdict, and the variant's."""
        return {
            **judge.row(),
            "judge": self.judge(judge),
            "audit_sha256": self.audit_sha256,
            "corrected_gold_answer": self.corrected.get(question.question_index),
        }

    def extra(self) -> dict[str, str]:
        """What an attempt says of it; nothing for the data set's own, as ever."""
        return {} if self.audit_sha256 is None else {"audit_sha256": self.audit_sha256}

    def is_of(self, manifest: Manifest) -> bool:
        """Whether an attempt's verdicts are of this variant."""
        return manifest.extra.get("audit_sha256") == self.audit_sha256


GOLD_AUDIT = "gold_audit"
"""The asset whose attempts hold the faults that an audit finds in a data set."""


def corrected_gold(
    store: HistoryStore, audit_sha256: str | None, dataset_sha256: str, conversation: str
) -> Gold:
    """A conversation's gold answers with a stored audit's corrections; None: the data set's own.

    Raises AuditError where that audit was not stored for the data set.
    """
    if audit_sha256 is None:
        return Gold()
    manifests = [
        manifest
        for manifest in store.manifests(asset=GOLD_AUDIT)
        if manifest.lineage.dataset_sha256 == dataset_sha256
        and manifest.extra.get("audit_sha256") == audit_sha256
    ]
    if not manifests:
        raise AuditError(
            f"audit {audit_sha256[:12]} does not fit data set {dataset_sha256[:12]}, which is "
            "judged; give the audit of just this data set (LOCOMO_AUDIT), or unset LOCOMO_GOLD"
        )
    rows = store.read("gold_faults", manifests[-1:]).to_pylist()
    return Gold(
        audit_sha256,
        {
            row["question_index"]: row["correct_answer"]
            for row in rows
            if row["conversation"] == conversation and row["correct_answer"] is not None
        },
    )


COPIED = ("verdict", "reasoning", "reason", "agreement")
"""What a verdict that is given again takes over."""

_SETTLED = ("correct", "wrong")

_SETTLED_SQL = Path(__file__).with_name("settled_verdicts.sql")
_HELD = """
SELECT attempt_id
FROM attempts
WHERE
    attempt_id IN (SELECT unnest($attempts))
    AND (SELECT history_id FROM lens_meta) = $history_id
"""


def is_by(manifest: Manifest, judge: JudgeIdentity) -> bool:
    """Whether an attempt's verdicts are by just this judge.

    Attempts of version 0.1.0 say no more than the judge's name.
    """
    digest = manifest.extra.get("judge_digest")
    if digest is None:
        return bool(manifest.extra.get("judge") == judge.name)
    return bool(digest == judge.digest())


class KnownVerdicts:
    """Verdicts that count and need not be asked for, by fingerprint.

    Some are at hand; of the others it is known which attempt has them, and it is read when they
    are wanted.
    """

    def __init__(
        self,
        store: HistoryStore,
        at_hand: Mapping[str, Row],
        elsewhere: Mapping[str, ManifestName],
    ) -> None:
        self._store = store
        self._at_hand = at_hand
        self._elsewhere = elsewhere

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in self._at_hand or fingerprint in self._elsewhere

    def read(self, fingerprints: Iterable[str]) -> dict[str, Row]:
        """The rows of those of them that are known."""
        wanted = frozenset(fingerprints)
        near = {one: row for one, row in self._at_hand.items() if one in wanted}
        far = {
            one: name for one, name in self._elsewhere.items() if one in wanted and one not in near
        }
        manifests = self._store.read_manifests(sorted(set(far.values())))
        rows = _verdict_rows(self._store, manifests)
        # An attempt may hold others too, that a later one holds again.
        found = (row for row in rows if row["fingerprint"] in far)
        last = (row for row in found if row["attempt_id"] == far[row["fingerprint"]].attempt_id)
        return {**near, **_settled(last)}


def verdicts_by_content(run: RunContext, task: Task, known: Iterable[Row]) -> KnownVerdicts:
    """The verdicts of `known`, else of other releases and runs.

    A forced task and a repeat judge anew, so they have `known` alone. The lexical judge's verdicts
    are not looked for in other releases: to give them anew is cheaper.
    """
    judge, own = run.judge.identity, _settled(known)
    if task.judges_anew or judge.system == LEXICAL:
        return KnownVerdicts(run.store, own, {})
    return stored_verdicts(run.store, run.database_path, task.conversation, judge, own)


def stored_verdicts(
    store: HistoryStore,
    database_path: Path | None,
    conversation: str,
    judge: JudgeIdentity,
    own: Mapping[str, Row] = MappingProxyType({}),
) -> KnownVerdicts:
    """A conversation's verdicts by this judge in the whole history; `own` come first.

    All manifests are listed. Of the attempts that the database holds it tells which verdicts they
    have, so that only the others are read here. What is given again is read from the attempt, by
    its hash: the database is no more than an index, and may be missing, or older.
    """
    folder = f"/conversation={path_label(conversation)}/"
    listed = store.manifest_names("attempts/asset=judgements")
    names = {name.attempt_id: name for name in listed if folder in name.path}
    held, elsewhere = _by_database(store, database_path, list(names.values()))
    others = store.read_manifests([name for i, name in names.items() if i not in held])
    same = [manifest for manifest in others if is_by(manifest, judge)]
    at_hand: dict[str, Row] = {}
    for one, row in _settled(_verdict_rows(store, same)).items():
        if one not in elsewhere or elsewhere[one] < names[row["attempt_id"]]:
            at_hand[one] = row
    return KnownVerdicts(store, {**at_hand, **own}, elsewhere)


def _by_database(
    store: HistoryStore, path: Path | None, names: Sequence[ManifestName]
) -> tuple[frozenset[str], dict[str, ManifestName]]:
    """Which of the attempts the database holds; fingerprint → the last of these that settles it.

    Judges need not be told apart: each one's fingerprints are its own.
    """
    if path is None or not os.path.exists(path):
        return frozenset(), {}
    import duckdb

    from locomo_assets.history import database

    attempts = [name.attempt_id for name in names]
    try:
        with database.open_read_only(path) as connection:
            given = {"attempts": attempts, "history_id": store.history_id}
            held = frozenset(i for (i,) in connection.execute(_HELD, given).fetchall())
            there = [name for name in names if name.attempt_id in held]
            given = {"attempts": [name.attempt_id for name in there]}
            sql = _SETTLED_SQL.read_text(encoding="utf-8")
            found = connection.execute(sql, given).fetchall()
    except (HistoryUnreachableError, duckdb.Error, OSError):
        return frozenset(), {}
    return held, {one: there[place] for one, place in found}


def _verdict_rows(store: HistoryStore, manifests: Sequence[Manifest]) -> Sequence[Row]:
    columns = ("attempt_id", "fingerprint", "judgement_id", *COPIED)
    rows: list[dict[str, Any]] = store.read("judgements", manifests, columns).to_pylist()
    return rows


def _settled(rows: Iterable[Row]) -> dict[str, Row]:
    return {row["fingerprint"]: row for row in rows if row["verdict"] in _SETTLED}


@dataclass(frozen=True)
class PendingVerdict:
    """An answer (a row of `answers`) whose verdict is due, by this judge on these gold answers."""

    question: Question
    answer: Row
    judge: JudgeIdentity
    gold: Gold = field(default_factory=Gold)

    @cached_property
    def case(self) -> Case:
        """What the judge is shown."""
        gold_answer = self.gold.answer(self.question)
        return Case(self.question.question, gold_answer, str(self.answer["answer"]))

    @cached_property
    def fingerprint(self) -> str:
        """Of all that the verdict depends on."""
        case = self.case
        return fingerprint(
            {
                "question": case.question,
                "gold": case.gold_answer,
                "answer": self.answer["answer"],
                "judge": self.judge.digest(),
            }
        )

    @property
    def is_answered(self) -> bool:
        return bool(self.answer["outcome"] == "answered")

    @property
    def is_wordless(self) -> bool:
        """Whether there is an answer, and it says nothing: no letter and no digit."""
        return self.is_answered and not has_words(self.answer["answer"] or "")

    @property
    def needs_judge(self) -> bool:
        """Whether there is something to judge."""
        return self.is_answered and not self.is_wordless

    def wordless(self) -> dict[str, Any]:
        """The row of an answer without words: wrong, and no judge is asked."""
        said = {"verdict": "wrong", "reasoning": NO_WORDS, "cost_usd": 0.0}
        return {**self._row(), **said}

    def unanswered(self) -> dict[str, Any]:
        """The row where there is nothing to judge."""
        reason = self.answer["reason"]
        return {**self._row(), "verdict": "unanswered", "reason": reason, "cost_usd": 0.0}

    def reused(self, known: Row) -> dict[str, Any]:
        """The row where an equal verdict was paid for before."""
        return {
            **self._row(),
            **{name: known.get(name) for name in COPIED},
            "reused_from_judgement_id": known["judgement_id"],
            "cost_usd": 0.0,
        }

    def judged(self, judgement: Judgement, batch_id: str | None = None) -> dict[str, Any]:
        """The row of a verdict that was asked for, by a batch or at once."""
        return {
            **self._row(),
            **judgement.row(),
            "asked_by": "batch" if batch_id else "direct",
            "batch_id": batch_id,
        }

    def _row(self) -> dict[str, Any]:
        return {
            "fingerprint": self.fingerprint,
            "answer_id": self.answer["answer_id"],
            "ingestion_id": self.answer["ingestion_id"],
            "question_index": self.question.question_index,
            "category": self.question.category,
            "question_protocol": self.answer["question_protocol"],
            "kind": self.answer.get("kind"),
            **self.gold.row(self.judge, self.question),
            "judged_at": datetime.now(UTC),
        }


def server_name(store: HistoryStore, base_url: str, endpoint: str, run_id: str) -> str:
    """By which name the history knows a judge's server: two servers are two judges.

    Verdicts have always named a server by its host. So the first server at a host keeps that name,
    and every other one there is named by its endpoint; `judges/<host>.json` says which is first.
    `base_url` is the same server's. Who asks first at a host, of several runs at once, too, is
    written down as the first.
    """
    host = host_of(endpoint)
    if host in (OPENAI, *FREE_SYSTEMS):
        return endpoint
    path = f"judges/{path_label(host)}.json"
    first = _first_endpoint(store, path)
    if first is None:
        if _asked_elsewhere(store, host, base_url, endpoint, run_id):
            return endpoint
        store.storage.put_new(path, json.dumps({"endpoint": endpoint}).encode())
        first = _first_endpoint(store, path)
    return host if first == endpoint else endpoint


def known_parameters(store: HistoryStore, endpoint: str, model: str) -> Row | None:
    """What an earlier run learned that the model takes; None where it can't be told."""
    path = _parameters_path(endpoint, model)
    if path not in store.storage.list("judges"):
        return None
    try:
        known = json.loads(store.storage.get(path))
    except (ValueError, RecursionError):
        return None
    return known if isinstance(known, dict) else None


def remember_parameters(
    store: HistoryStore, endpoint: str, model: str, parameters: Row | None
) -> None:
    """Keep what was learned, so that no later run pays for it; None forgets it."""
    path = _parameters_path(endpoint, model)
    if parameters is None:
        store.storage.delete([path])
    else:
        store.storage.put(path, json.dumps(parameters).encode())


def _parameters_path(endpoint: str, model: str) -> str:
    return f"judges/{path_label(endpoint)}/{path_label(model)}.json"


def _first_endpoint(store: HistoryStore, path: str) -> str | None:
    if path not in store.storage.list("judges"):
        return None
    try:
        endpoint = json.loads(store.storage.get(path))["endpoint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        endpoint = None
    if not isinstance(endpoint, str):
        raise HistoryDamagedError(
            f"history {store.storage.url}: {path} names no endpoint; restore it from a copy"
        )
    return endpoint


def _asked_elsewhere(
    store: HistoryStore, host: str, base_url: str, endpoint: str, run_id: str
) -> bool:
    """Whether verdicts under the host's name came from another server, as far as one can know.

    Versions before wrote no first server down, and no port beside a verdict. But their runs held
    slots by host and port.
    """
    judges = {str(m.extra.get("judge", "")) for m in store.manifests(asset="judgements")}
    if any(judge.startswith(f"{endpoint}:") for judge in judges):
        return True
    if not any(judge.startswith(f"{host}:") for judge in judges):
        return False
    earlier = services_of_earlier_runs(store.storage, run_id)
    at_host = {service for service in earlier if host_of(service) == host}
    return bool(at_host) and not at_host & set(services_at([base_url]))
