"""A language model as judge, through any OpenAI-compatible API.

Here: asking it, and telling a verdict from a failure. The prompt is `prompt`, the reply's form
`verdict`, each request's record `recording`.

Parameters and messages are those of the published result: gpt-4.1, temperature 0.1, at most 300
tokens, a JSON object. Retries are the `openai` package's own (408, 409, 429, 5xx, lost
connections; bounded; Retry-After obeyed).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from time import perf_counter

import httpx2
import openai
from pydantic import BaseModel, ValidationError

from locomo_assets.backboard.budget import VERDICT, Budget, place_in
from locomo_assets.backboard.calls import CallRecord, Record
from locomo_assets.backboard.limits import Limits
from locomo_assets.judging.errors import JudgeError
from locomo_assets.judging.judge import COMPLETIONS, JudgeIdentity, Judgement
from locomo_assets.judging.prompt import Prompt, PromptIdentity, read_prompt
from locomo_assets.judging.recording import RecordingClient
from locomo_assets.judging.verdict import Reply, Verdict, parse_reply
from locomo_assets.prices import PriceTable
from locomo_assets.secrecy import hide, keep_out_of_logs
from locomo_assets.tls import TlsVersion, too_old

OPENAI_URL = "https://api.openai.com/v1"
STANDIN = "standin"

_SYSTEM_MESSAGE = (
    "You are evaluating conversational AI memory recall. "
    "Return JSON only with the format requested."
)
_TEMPERATURE = 0.1
_MAX_TOKENS = 300
_REFUSED = (openai.AuthenticationError, openai.PermissionDeniedError)
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Answer(BaseModel):
    """What is needed of a chat completion; compatible servers leave out much of the rest."""

    choices: list[_Choice]
    usage: _Usage | None = None


class LLMJudge:
    """Give one with `connect`, which makes sure that the key and the model are good."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        identity: JudgeIdentity,
        prompt: Prompt,
        prices: PriceTable,
        *,
        limits: Limits,
        budget: Budget | None,
    ) -> None:
        self._client = client
        self._identity = identity
        self._prompt = prompt
        self._prices = prices
        self._limits = limits
        self._budget = budget

    @property
    def identity(self) -> JudgeIdentity:
        return self._identity

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        *,
        api_key: str,
        base_url: str | None = None,
        model: str = "gpt-4.1",
        prompt: str = "generous",
        prices: PriceTable,
        record: Record | None = None,
        limits: Limits | None = None,
        budget: Budget | None = None,
        max_retries: int = 5,
        timeout_s: float = 60.0,
        watch: Callable[[httpx2.Response], None] | None = None,
        min_tls: TlsVersion = "1.3",
    ) -> AsyncIterator["LLMJudge"]:
        """A judge that is known to answer; closes its connections at the end.

        `prompt` is a packaged prompt's name or a file's path. Asks the server for the model
        first, which costs nothing: a server that says it is the stand-in is named so in every
        verdict, and one that is not OpenAI by its host. `watch` sees each response while
        its connection is open; no TLS older than `min_tls` is spoken.

        Raises JudgeError: the prompt is unusable, the URL or the key is unusable or refused, the
        server can't be reached, the model is not there.
        """
        chosen = read_prompt(prompt)
        url = _checked_url(base_url or OPENAI_URL)
        key = _checked_key(api_key)
        keep_out_of_logs(key)
        limits = limits or Limits()
        http = RecordingClient(
            str(url),
            partial(_without_key, key, record or _ignore),
            limits,
            httpx2.Timeout(timeout_s, connect=min(10.0, timeout_s)),
            watch=watch,
            min_tls=min_tls,
        )
        async with openai.AsyncOpenAI(
            api_key=key, base_url=str(url), max_retries=max_retries, http_client=http
        ) as client:
            system = await _probed_system(client, url.host, model)
            identity = llm_identity(system, model, chosen)
            judge = cls(client, identity, chosen, prices, limits=limits, budget=budget)
            http.cost_usd = judge._cost_usd
            yield judge

    async def probe(self) -> str:
        """Ask for the model once more, which is free; the system as in `JudgeIdentity`."""
        return await _probed_system(
            self._client, self._client.base_url.host, self._identity.model or ""
        )

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """See `judge.Judge`; the category changes nothing here."""
        async with (
            self._limits.slot(COMPLETIONS),
            place_in(self._budget, VERDICT) as told,
        ):
            start = perf_counter()
            reply, usage = await self._ask(
                self._prompt.fill(
                    question=question, gold_answer=gold_answer, generated_answer=answer
                )
            )
            latency_ms = (perf_counter() - start) * 1000.0
            told(usage.prompt_tokens, usage.completion_tokens)
        tokens = (usage.prompt_tokens, usage.completion_tokens)
        return Judgement(
            verdict=reply.verdict,
            reasoning=reply.reasoning,
            reason=reply.reason,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_usd=None if None in tokens else self._cost_usd(tokens[0] or 0, tokens[1] or 0),
            latency_ms=latency_ms,
            agreement=None if reply.verdict is Verdict.UNSCORED else 1.0,
        )

    async def _ask(self, message: str) -> tuple[Reply, _Usage]:
        try:
            response = await self._client.chat.completions.with_raw_response.create(
                model=self._identity.model,
                temperature=_TEMPERATURE,
                max_tokens=_MAX_TOKENS,
                response_format={"type": "json_object"},
                messages=[
                    {"role": "system", "content": _SYSTEM_MESSAGE},
                    {"role": "user", "content": message},
                ],
            )
            answer = _Answer.model_validate_json(response.content)
        except openai.APIError as error:
            _raise_if_hopeless(error, self._client.base_url.host)
            return _failed(_cause(error, self._client.api_key)), _Usage()
        except ValidationError:
            return _failed("the server's answer is not a chat completion"), _Usage()
        return _read(answer), answer.usage or _Usage()

    def _cost_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        if self._identity.system == STANDIN:
            return 0.0
        return self._prices.cost_usd(self._identity.model, input_tokens, output_tokens)


def _without_key(key: str, record: Record, call: CallRecord) -> None:
    request_id = call.request_id and hide(call.request_id, key)
    record(replace(call, request_id=request_id))


def _ignore(_call: CallRecord) -> None:
    """For whoever wants no record."""


def llm_identity(system: str, model: str, prompt: PromptIdentity) -> JudgeIdentity:
    """Who judges with a model of a system (`openai`, `standin`, a host) and a prompt."""
    prefix = "" if system == "openai" else f"{system}:"
    return JudgeIdentity(
        name=f"{prefix}{model}/{prompt.label}",
        system=system,
        model=model,
        prompt_name=prompt.name,
        prompt_sha256=prompt.sha256,
        parameters={
            "temperature": _TEMPERATURE,
            "max_tokens": _MAX_TOKENS,
            "response_format": "json_object",
            "system_message": _SYSTEM_MESSAGE,
        },
    )


async def _probed_system(client: openai.AsyncOpenAI, host: str, model: str) -> str:
    is_openai = host == httpx2.URL(OPENAI_URL).host
    try:
        found = await client.models.retrieve(model)
    except openai.APIError as error:
        _raise_if_hopeless(error, host)
        if isinstance(error, openai.APIStatusError) and error.status_code < 500:
            if not is_openai and not isinstance(error, openai.RateLimitError):
                return host
            if isinstance(error, openai.NotFoundError):
                raise JudgeError(
                    f"judge {model} at {host}: there is no such model for this key; check "
                    "LOCOMO_JUDGE_MODEL"
                ) from None
        raise JudgeError(
            f"judge {model} at {host}: {_cause(error, client.api_key)}; try again later"
        ) from None
    except ValueError:
        return host
    if getattr(found, "owned_by", None) == STANDIN:
        return STANDIN
    return "openai" if is_openai else host


def _read(answer: _Answer) -> Reply:
    if not answer.choices:
        return _failed("the server's answer holds no choice")
    choice = answer.choices[0]
    if choice.message.refusal:
        return _failed("the judge refused")
    if choice.finish_reason == "length":
        return _failed(f"the reply was cut off at {_MAX_TOKENS} tokens")
    if choice.finish_reason == "content_filter":
        return _failed("the reply was withheld by the content filter")
    if not (choice.message.content or "").strip():
        return _failed("the reply is empty")
    return parse_reply(choice.message.content or "")


def _failed(reason: str) -> Reply:
    return Reply(Verdict.UNSCORED, None, reason)


def _raise_if_hopeless(error: openai.APIError, host: str) -> None:
    """Raise where every further call would fail as well."""
    if isinstance(error, _REFUSED):
        raise JudgeError(
            f"judge at {host}: the key is refused ({error.status_code}); check OPENAI_API_KEY and "
            "that it may read models and make chat completions"
        ) from None
    if isinstance(error, openai.APIConnectionError) and isinstance(error.__cause__, _NOT_SENT):
        raise JudgeError(
            f"judge at {host}: cannot be reached ({_cause_of_loss(error)}); check that it is up, "
            "OPENAI_BASE_URL and the network"
        ) from None


def _cause(error: openai.APIError, key: str) -> str:
    if isinstance(error, openai.APITimeoutError):
        return "no answer in time"
    if isinstance(error, openai.APIConnectionError):
        return f"the answer was lost ({hide(_cause_of_loss(error), key)})"
    status = f"HTTP {error.status_code}" if isinstance(error, openai.APIStatusError) else "failed"
    body = error.body.get("message") if isinstance(error.body, dict) else None
    # Servers repeat what they are sent, the key included.
    said = hide(" ".join(str(body or error.message).split()), key)[:200]
    return f"{status}: {said}"


def _cause_of_loss(error: openai.APIConnectionError) -> str:
    cause = error.__cause__
    if cause and (old := too_old(cause)):
        return old
    return ": ".join(filter(None, (type(cause).__name__, str(cause)))) if cause else "no connection"


def _checked_url(base_url: str) -> httpx2.URL:
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        # What is wrong with it may be a secret in the wrong place, so it is not repeated.
        raise JudgeError(
            "the judge's base URL cannot be read; set OPENAI_BASE_URL to a full URL, like "
            "https://host/v1"
        ) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise JudgeError(
            "the judge's base URL must begin with http:// or https:// and name a host; check "
            "OPENAI_BASE_URL"
        )
    if url.userinfo or url.query or url.fragment:
        raise JudgeError(
            f"the judge's base URL at {url.host} holds more than scheme, host and path; take the "
            "rest out of OPENAI_BASE_URL"
        )
    return url


def _checked_key(key: str) -> str:
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise JudgeError(
            "the judge's key is empty or holds signs that no header can carry; set OPENAI_API_KEY"
        )
    return key
