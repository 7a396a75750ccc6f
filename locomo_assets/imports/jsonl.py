"""Anybody's results: a file of any shape that `shapes` knows becomes results on the data set.

docs/import.md describes our own shape, JSON lines, for people who write such files.
"""

from collections.abc import Sequence
from dataclasses import replace

from locomo_assets.imports.matching import Match, match_entries
from locomo_assets.imports.results import (
    UNKNOWN,
    ImportedAnswer,
    ImportedFile,
    ImportedResults,
    ImportedVerdict,
    ImportRefusedError,
    RetrievedMemory,
    decode_utf8,
)
from locomo_assets.imports.shapes import Entry, Memory, Place, read_entries
from locomo_assets.judging.judge import NO_WORDS, Verdict, majority
from locomo_assets.locomo.model import Dataset

_NO_ANSWER = "no answer in the file"


def parse_jsonl(
    name: str,
    data: bytes,
    dataset: Dataset,
    *,
    system: str,
    question_protocol: str,
    model: str | None = None,
    judge: str | None = None,
    unnamed_model: str | None = UNKNOWN,
) -> ImportedResults:
    """Read a file's bytes as results on the data set. Raises ImportRefusedError with the place.

    `model` and `judge` are those of entries that name none, `unnamed_model` where neither does.
    """
    read = read_entries(name, decode_utf8(data, name))
    matches = match_entries(read.entries, dataset)
    first: dict[tuple[str, int], tuple[Place, Entry, Match]] = {}
    verdicts: dict[tuple[str, int], dict[str, tuple[Place, ImportedVerdict]]] = {}
    for (place, entry), match in zip(read.entries, matches, strict=True):
        earlier, earlier_entry, _ = first.setdefault(match.key, (place, entry, match))
        if earlier_entry.answer_fields() != entry.answer_fields():
            raise ImportRefusedError(
                f"{place}: {match} is on {earlier.place} already with different fields of the "
                "answer; nothing was imported"
            )
        by_judge = verdicts.setdefault(match.key, {})
        if entry.not_judged:
            _refuse_verdict(place, entry)
            continue
        name_of_judge = entry.judge or judge or UNKNOWN
        if name_of_judge in by_judge:
            raise ImportRefusedError(
                f"{place}: {match} already has a verdict by {name_of_judge} on "
                f"{by_judge[name_of_judge][0].place}; put several votes of one judge into "
                "`verdicts`"
            )
        by_judge[name_of_judge] = (place, _verdict(place, entry, name_of_judge))
    answers = [
        _answer(entry, match, model or unnamed_model, [one for _, one in verdicts[key].values()])
        for key, (_, entry, match) in first.items()
    ]
    assumed = {
        field: given
        for field, given in (("model", model), ("judge", judge))
        if given and any(getattr(entry, field) is None for _, entry in read.entries)
    }
    return ImportedResults(
        f"{read.shape}/1",
        system,
        question_protocol,
        (ImportedFile.of(name, data, len(answers)),),
        tuple(answers),
        assumed,
        read.unread,
    )


def _refuse_verdict(place: Place, entry: Entry) -> None:
    if entry.verdict is not None or entry.verdicts is not None or entry.judge is not None:
        raise ImportRefusedError(
            f"{place}: is `not_judged`, and has a judge or a verdict; leave one out, nothing was "
            "imported"
        )


def _verdict(place: Place, entry: Entry, name: str) -> ImportedVerdict:
    """The verdict, with what the entry says of the judge and of what the verdict took."""
    found = _read_verdict(place, entry, name)
    judge = {**found.judge, **entry.columns(entry.judge_columns)}
    return replace(found, judge=judge, measured=entry.columns(entry.verdict_columns))


def _read_verdict(place: Place, entry: Entry, name: str) -> ImportedVerdict:
    judge = {"judge": name}
    if entry.verdict is not None and entry.verdicts is not None:
        raise ImportRefusedError(
            f"{place}: has both `verdict` and `verdicts`; leave one out, nothing was imported"
        )
    votes = [entry.verdict] if entry.verdict is not None else list(entry.verdicts or ())
    if not votes and "answer" not in entry.model_fields_set:
        raise ImportRefusedError(
            f"{place}: has neither an answer nor a verdict; nothing was imported"
        )
    if Verdict.UNANSWERED in votes and (entry.is_answered or len(votes) > 1):
        raise ImportRefusedError(
            f"{place}: is `unanswered`, and has an answer or further votes; nothing was imported"
        )
    verdict, agreement = majority(votes) if votes else (Verdict.UNSCORED, None)
    if verdict is Verdict.UNSCORED and not entry.is_answered:
        verdict = Verdict.UNANSWERED
    elif verdict is Verdict.UNSCORED and entry.is_wordless:
        return ImportedVerdict(judge, Verdict.WRONG, reasoning=NO_WORDS)
    if verdict in (Verdict.CORRECT, Verdict.WRONG):
        if entry.reason is not None and entry.is_answered:
            raise ImportRefusedError(
                f"{place}: `reason` is for a missing answer or verdict, and this one has both; "
                "use `reasoning`"
            )
        return ImportedVerdict(judge, verdict, entry.reasoning, None, len(votes), agreement)
    if verdict is Verdict.UNANSWERED:
        return ImportedVerdict(judge, verdict, reason=entry.why_missing or _NO_ANSWER)
    missing = "unscored in the file" if votes else "no verdict in the file"
    reason = entry.why_missing or ("no majority" if len(votes) > 1 else missing)
    return ImportedVerdict(judge, verdict, entry.reasoning, reason, max(1, len(votes)))


def _answer(
    entry: Entry, match: Match, model: str | None, verdicts: Sequence[ImportedVerdict]
) -> ImportedAnswer:
    reason = None if entry.is_answered else entry.why_missing or _NO_ANSWER
    return ImportedAnswer(
        conversation=match.conversation,
        question=match.question,
        answer=entry.answer if entry.is_answered else None,
        reason=reason,
        llm_model=entry.model or model,
        latency_ms=entry.latency_ms,
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
        retrieved=None if entry.retrieved is None else tuple(map(_memory, entry.retrieved)),
        verdicts=tuple(verdicts),
        measured=entry.columns(entry.answer_columns),
    )


def _memory(stated: Memory) -> RetrievedMemory:
    return RetrievedMemory(stated.memory, stated.memory_id, stated.score)
