"""Requests to a model's server that fail: what they say, and which end the asking; and the free
look at the server.

The errors are the `openai` package's; how servers word theirs is in `server_errors`.
"""

import httpx2
import openai

from locomo_assets.completions.asker import OPENAI, Asker, is_openai
from locomo_assets.completions.server_errors import (
    NO_CREDIT,
    NO_KEY,
    NO_MODEL,
    NO_PARAMETER,
    ServerError,
    one_line,
    read_error,
    read_json,
)
from locomo_assets.errors import LocomoError
from locomo_assets.http.calls import explain_old_tls
from locomo_assets.network import by_proxy
from locomo_assets.prices import STANDIN

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)

_CAUSES = {
    NO_KEY: "the key is refused",
    NO_CREDIT: "its credit or quota is used up",
    NO_MODEL: "there is no such model or address",
}


def _way_out(cause: str, asker: Asker) -> str:
    return {
        NO_KEY: f"check {asker.key} and that it may read models and make chat completions",
        NO_CREDIT: f"add credit to the account, or set the {asker.key} of another, and run it "
        "again",
        NO_MODEL: f"check {asker.model} and {asker.base_url}",
        NO_PARAMETER: f"choose another {asker.model}",
    }[cause]


def raise_if_fatal(error: openai.APIError, host: str, asker: Asker) -> None:
    """Raise the asker's error if every further call would fail as well."""
    said = server_error(error)
    # Of an address that is not there, others may be: batches, the list of models.
    if said is not None and said.fatal not in (None, NO_MODEL):
        raise fatal_error(said, host, asker) from None
    if isinstance(error, openai.APIConnectionError) and isinstance(error.__cause__, _NOT_SENT):
        raise asker.error(
            f"{asker.service} at {host}: cannot be reached{by_proxy(str(error.request.url))} "
            f"({_cause_of_loss(error)}); check that it is up, {asker.base_url} and the network"
        ) from None


def fatal_error(said: ServerError, host: str, asker: Asker) -> LocomoError:
    """What ends the asking, in one line with the server's own words."""
    cause = said.fatal or ""
    what = _CAUSES.get(cause, f"the model does not take what {asker.what} is asked with")
    words = f": {said.words}" if said.words else ""
    return asker.error(
        f"{asker.service} at {host}: {what} ({said.status}){words}; {_way_out(cause, asker)}"
    )


def server_error(error: openai.APIError) -> ServerError | None:
    """What the server says in its answer; None if there was none."""
    if not isinstance(error, openai.APIStatusError):
        return None
    content = error.response.content
    body = read_json(content)
    return read_error(content.decode(errors="replace") if body is None else body, error.status_code)


def is_retryable(error: openai.APIError) -> bool:
    """Whether the request may succeed later. If its answer was lost, it may have succeeded."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def describe_error(error: openai.APIError) -> str:
    """The failure in a few words."""
    if isinstance(error, openai.APITimeoutError):
        return "no answer in time"
    if isinstance(error, openai.APIConnectionError):
        return f"the answer was lost ({_cause_of_loss(error)})"
    said = server_error(error)
    return str(said) if said is not None else f"failed: {one_line(error.message)}"


def _cause_of_loss(error: openai.APIConnectionError) -> str:
    lost = error.__cause__
    if lost and (old := explain_old_tls(lost)):
        return old
    if lost is None:
        return "no connection"
    # What is no HTTP stands in the error as it came.
    return one_line(": ".join(filter(None, (type(lost).__name__, str(lost)))))


async def probed_system(client: openai.AsyncOpenAI, model: str, asker: Asker) -> str:
    """`openai`, `standin` if the server says so, or its host; asking for a model is free.

    Raises the asker's error if the key is refused, the server is away, or lacks the model.
    """
    host = client.base_url.host
    at_openai = is_openai(str(client.base_url))
    try:
        found = await client.models.retrieve(model)
    except openai.APIError as error:
        raise_if_fatal(error, host, asker)
        if isinstance(error, openai.APIStatusError) and error.status_code < 500:
            if not at_openai and not isinstance(error, openai.RateLimitError):
                return host
            if isinstance(error, openai.NotFoundError):
                raise asker.error(
                    f"{asker.service} {model} at {host}: there is no such model for this key; "
                    f"check {asker.model}"
                ) from None
        raise asker.error(
            f"{asker.service} {model} at {host}: {describe_error(error)}; try again later"
        ) from None
    except ValueError:
        return host
    if getattr(found, "owned_by", None) == STANDIN:
        return STANDIN
    return OPENAI if at_openai else host
