"""What a judge is, to whoever wants verdicts.

Here: its identity, what it gives, and the protocol that every judge follows. The judges are
`lexical` and `llm`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from locomo_assets.judging.verdict import Verdict

OPENAI_URL = "https://api.openai.com/v1"
"""Where the judge is asked unless a setting says otherwise."""

COMPLETIONS = "POST /chat/completions"
"""The endpoint that verdicts come from, as `Limits` and `CallRecord` name it."""
BATCHED = "BATCH /chat/completions"
"""The same for a request that the server made out of a batch."""


@dataclass(frozen=True, slots=True)
class JudgeIdentity:
    """All that a verdict depends on besides question, gold answer and answer.

    `system` says who judges (`lexical`, `openai`, `standin`, a host); `prompt_name` and
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
        """Its columns of the history's `judgements` table."""
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

    `reasoning` is the judge's own; `reason` says why a verdict is unscored. Tokens are None where
    none were counted, `cost_usd` where the model has no known price. `latency_ms` begins when the
    judge's own limit let it go, and is None where a batch gave the verdict. `votes` were asked
    for, and `agreement` is the share of them that gave this verdict (None where unscored).
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
        """Its columns of the history's `judgements` table."""
        return {**asdict(self), "verdict": self.verdict.value}


class Judge(Protocol):
    """Gives verdicts; any number at once."""

    @property
    def identity(self) -> JudgeIdentity:
        """Who judges. It does not change while the judge lives."""
        ...

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """Whether `answer` gives what `gold_answer` does.

        A verdict that cannot be had is unscored, with its reason. Raises JudgeError where no
        verdict could be had any more.
        """
        ...


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
