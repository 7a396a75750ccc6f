"""What a judge is and what it gives: identity, the reply's parser, verdict, votes, a batch's state.

A single verdict that could not be had is no error but `Verdict.UNSCORED`, with its reason.
`JudgeError` means that no verdict can be had at all.
"""

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from locomo_assets.errors import IMPOSSIBLE, LocomoError

if TYPE_CHECKING:
    from locomo_assets.http.limits import RecordUsage

BATCHED = "BATCH /chat/completions"
"""The endpoint of a verdict that came in a batch: a request that the server made."""

Number = TypeVar("Number", int, float)


class JudgeError(LocomoError):
    """No verdict can be had: the key is refused, the server is away, the prompt is unusable."""


class JudgePromptError(JudgeError):
    """The judge's prompt is no file that can be read, or lacks a placeholder."""

    exit_code = IMPOSSIBLE


class Verdict(StrEnum):
    """The outcome of a question.

    UNSCORED: the judge failed. UNANSWERED: the system under test failed; no judge says so.
    """

    CORRECT = "correct"
    WRONG = "wrong"
    UNSCORED = "unscored"
    UNANSWERED = "unanswered"


NO_WORDS = "the reply has no words"
"""The reasoning of a verdict that no judge was asked for: such an answer is wrong."""


def has_words(answer: str) -> bool:
    """Whether an answer says anything: it has a letter or a digit, of any script."""
    return any(map(str.isalnum, answer))


@dataclass(frozen=True, slots=True)
class JudgeIdentity:
    """All that a verdict depends on besides question, gold answer and answer.

    `system` is `lexical`, `openai`, `standin`, or another server: its host, or its whole endpoint
    where the history knows another server by the host (`runs.verdicts`). `prompt_name` and
    `prompt_sha256` are None for a judge without a prompt.
    """

    name: str
    system: str
    model: str
    prompt_name: str | None = None
    prompt_sha256: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict, hash=False)
    votes: int = 1

    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the whole identity as canonical JSON."""
        return hashlib.sha256(_canonical(asdict(self)).encode()).hexdigest()

    def row(self) -> dict[str, Any]:
        """The columns of the history's `judgements` table."""
        return {
            "judge": self.name,
            "judge_system": self.system,
            "judge_model": self.model,
            "prompt_name": self.prompt_name,
            "prompt_sha256": self.prompt_sha256,
            "judge_parameters_json": _canonical(dict(self.parameters)),
            "votes": self.votes,
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what it took.

    `reasoning` is the judge's own; `reason` says why a verdict is unscored. Tokens are None if
    none were counted, `cost_usd` if the model has no known price. `latency_ms` excludes waiting
    for our own limit, and is None for a verdict of a batch. `agreement` is the share of the
    `votes` asked for that gave this verdict, and None if unscored.
    """

    verdict: Verdict
    reasoning: str | None
    reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    latency_ms: float | None
    votes: int = 1
    agreement: float | None = 1.0

    def row(self) -> dict[str, Any]:
        """The columns of the history's `judgements` table."""
        return {**asdict(self), "verdict": self.verdict.value}


class Judge(Protocol):
    """Gives verdicts, any number at once."""

    @property
    def identity(self) -> JudgeIdentity:
        """Who judges. It never changes."""
        ...

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """Whether `answer` says what `gold_answer` does.

        Unscored, with the reason, if this verdict can't be had. Raises JudgeError if none can.
        """
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """What a verdict is asked about."""

    question: str
    gold_answer: str
    answer: str


GONE = "gone"
"""The status of a batch that its server does not know with this key."""

_OVER = ("completed", "failed", "expired", "cancelled", GONE)


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is: requests `done`, even if they failed, of `total`; times are UTC.

    `why` is set for a batch that failed as a whole.
    """

    batch_id: str
    status: str
    created_at: datetime | None = None
    done: int = 0
    total: int = 0
    files: tuple[str, ...] = ()
    why: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it will give no further result."""
        return self.status in _OVER


@dataclass(frozen=True, slots=True)
class BatchResults:
    """The judgements by fingerprint, and the tokens of all requests."""

    judgements: Mapping[str, Judgement]
    input_tokens: int
    output_tokens: int


class BatchingJudge(Protocol):
    """Gives verdicts in batches; `batch.BatchJudge` says what each method does."""

    def reserve(
        self, cases: int, *, sent: bool = False
    ) -> "AbstractAsyncContextManager[RecordUsage]": ...

    async def send(
        self, token: str, cases: Mapping[str, Case], labels: Mapping[str, str]
    ) -> str: ...

    async def find(self, token: str, made_after: datetime) -> str | None: ...

    async def state(self, batch_id: str) -> BatchState: ...

    async def results(self, state: BatchState, fingerprints: Collection[str]) -> BatchResults: ...


class VotingJudge:
    """Asks another judge `votes` times (odd) for each verdict; each vote is paid for."""

    def __init__(self, judge: Judge, votes: int) -> None:
        self._judge = judge
        self._votes = votes

    @property
    def identity(self) -> JudgeIdentity:
        """The other judge's, with the number of votes."""
        return with_votes(self._judge.identity, self._votes)

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """As `Judge.judge`, with all votes at the same time."""
        from locomo_assets.http.limits import first_failure

        with first_failure():
            async with asyncio.TaskGroup() as group:
                votes = [
                    group.create_task(self._judge.judge(question, gold_answer, answer, category))
                    for _ in range(self._votes)
                ]
        return count_votes([vote.result() for vote in votes])


def with_votes(one: JudgeIdentity, votes: int) -> JudgeIdentity:
    """The identity with the number of votes in its name, so that verdicts never mix."""
    return one if votes == 1 else replace(one, name=f"{one.name} ×{votes}", votes=votes)


def count_votes(votes: Sequence[Judgement]) -> Judgement:
    """The verdict of the `majority`, with the reasoning of its first vote.

    Tokens and costs are sums, None if one is unknown. The latency is the longest that is known.
    """
    counts = Counter(vote.verdict for vote in votes)
    verdict, agreement = majority([vote.verdict for vote in votes])
    decided = verdict is not Verdict.UNSCORED
    said = ", ".join(f"{counts[kind]} {kind.value}" for kind in Verdict if counts[kind])
    causes = dict.fromkeys(vote.reason for vote in votes if vote.reason)
    return Judgement(
        verdict=verdict,
        reasoning=next(v.reasoning for v in votes if v.verdict is verdict) if decided else None,
        reason=None if decided else f"no majority ({said}): {'; '.join(causes)}",
        input_tokens=_sum(vote.input_tokens for vote in votes),
        output_tokens=_sum(vote.output_tokens for vote in votes),
        cost_usd=_sum(vote.cost_usd for vote in votes),
        latency_ms=max((v.latency_ms for v in votes if v.latency_ms is not None), default=None),
        votes=len(votes),
        agreement=agreement,
    )


def majority(verdicts: Sequence[Verdict]) -> tuple[Verdict, float | None]:
    """The verdict of more than half of the votes asked for, and their share.

    Unscored and None if there is no such verdict, because of unscored votes or a tie.
    """
    verdict, most = max(Counter(verdicts).items(), key=lambda item: item[1])
    if verdict is Verdict.UNSCORED or 2 * most <= len(verdicts):
        return Verdict.UNSCORED, None
    return verdict, most / len(verdicts)


_CORRECTED = ", gold corrected@"


def on_corrected_gold(judge: str, audit_sha256: str) -> str:
    """`gpt-4.1/generous@1a2b3c4d, gold corrected@5e6f7a8b`, by the hash of the audit's file."""
    return f"{judge}{_CORRECTED}{audit_sha256[:8]}"


_HERE = ", judged here"


def judged_here(judge: str) -> str:
    """The name of a judge of one's own where imported verdicts on the answers have its name."""
    return judge + _HERE


def judge_alone(judge: str) -> str:
    """The judge's name without the gold answers that it was given, and without where it judged."""
    return judge.partition(_CORRECTED)[0].removesuffix(_HERE)


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's reply as it was read. `reason` says why it is unscored, and is else None."""

    verdict: Verdict
    reasoning: str | None
    reason: str | None


_EDGE = "\\s\"'“”‘’„«»*_`#()<>\\[\\]\u200b\ufeff"
_VERDICT = re.compile(
    rf"[{_EDGE}]*(?:label[{_EDGE}]*[:=][{_EDGE}]*)?(correct|wrong)[{_EDGE}.,:;!…。]*", re.IGNORECASE
)
# How models mark their thinking: by a tag, Mistral's and Kimi's brackets, gpt-oss' channels.
_TAG = r"(?:seed:)?(?:think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad)"
_THINKING = re.compile(
    rf"(?P<begins><\s*{_TAG}(?:\s[^<>]{{0,80}})?>|\[THINK\]|◁think▷|<\|channel\|>analysis)"
    rf"|<\s*/\s*{_TAG}\s*>|\[/THINK\]|◁/think▷|<\|channel\|>final",
    re.IGNORECASE,
)
_OBJECT_BEGINS = re.compile(r"\{(?=\s*[\"}])")
_LONGEST_REPLY = 200_000


def parse_reply(text: str) -> Reply:
    """Read the one `{"reasoning": …, "label": "CORRECT" | "WRONG"}`; other keys are ignored.

    Prose, a fence or thinking may stand around it. Unscored where there is no such object or more
    than one label, unless all say the same. Never raises.
    """
    text = text.strip().removeprefix("\ufeff").strip()
    if len(text) > _LONGEST_REPLY:
        return unscored("the reply is too long to be a verdict")
    try:
        found = _objects_in(text)
    except _RepeatedLabelError:
        return unscored("the reply gives its label more than once")
    except (ValueError, RecursionError):
        return unscored("the reply is not JSON")
    if found is None:
        return unscored("the reply is not a JSON object")
    replies = [_read(one) for one in found if len(found) == 1 or "label" in _by_name(one)]
    if len({reply.verdict for reply in replies}) > 1:
        return unscored("the reply holds labels that disagree")
    return replies[-1] if replies else unscored("the reply is not JSON with a label")


def _objects_in(text: str) -> list[dict[str, object]] | None:
    """The text as a JSON object, or the outermost ones in it, without those in its thinking.

    None if the text is other JSON. ValueError if one of them is no whole JSON object: it may have
    been cut off.
    """
    try:
        whole = _decoder.decode(text)
        return [whole] if isinstance(whole, dict) else None
    except json.JSONDecodeError:
        pass
    text = _without_thinking(text)
    found: list[dict[str, object]] = []
    at = 0
    while begins := _OBJECT_BEGINS.search(text, at):
        content, at = _decoder.raw_decode(text, begins.start())
        found.append(content)
    return found


def _without_thinking(text: str) -> str:
    """What is said outside of it. An end without a beginning ends what began with the text."""
    kept: list[str] = []
    at, thinks = 0, False
    for mark in _THINKING.finditer(text):
        if not mark["begins"]:
            kept = kept if thinks else []
        elif not thinks:
            kept.append(text[at : mark.start()])
        at, thinks = mark.end(), bool(mark["begins"])
    return "".join(kept if thinks else [*kept, text[at:]])


def _read(content: Mapping[str, object]) -> Reply:
    fields = _by_name(content)
    reasoning, label = fields.get("reasoning"), fields.get("label")
    if not isinstance(reasoning, str):
        reasoning = None
    said = _VERDICT.fullmatch(label) if isinstance(label, str) else None
    if said is None:
        return unscored("the reply's label is neither CORRECT nor WRONG", reasoning)
    return Reply(Verdict(said[1].lower()), _storable(reasoning), None)


def _by_name(content: Mapping[str, object]) -> Mapping[str, object]:
    return {name.strip().lower(): value for name, value in content.items()}


def unscored(reason: str, reasoning: str | None = None) -> Reply:
    """A reply that gives no verdict, and why."""
    return Reply(Verdict.UNSCORED, _storable(reasoning), reason)


class _RepeatedLabelError(Exception):
    pass


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if sum(key.strip().lower() == "label" for key, _ in pairs) > 1:
        raise _RepeatedLabelError
    return dict(pairs)


# Not strict: models write a line's end into a text as it is.
_decoder = json.JSONDecoder(object_pairs_hook=_without_repeats, strict=False)


def _storable(text: str | None) -> str | None:
    """Half a character, which JSON's escapes can spell, is replaced: no file can hold it."""
    return None if text is None else text.encode(errors="replace").decode()


def _sum(values: Iterable[Number | None]) -> Number | None:
    every = list(values)
    known = [value for value in every if value is not None]
    return sum(known) if len(known) == len(every) else None


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
