"""Judges' servers and models, each re-created in so far as it answers a verdict's request.

The words of their errors are those that people report of the real ones. `docs/judges.md` lists
the servers.
"""

import re
from typing import Any, ClassVar

from locomo_assets_tests.judging.scripted import KEY, Answer, Request, as_json, completion

VERDICT = '{"reasoning": "Same day.", "label": "CORRECT"}'


class Server:
    """What all have in common: a path, a key, a model. `bodies` are those that were answered."""

    base_path = "/v1"
    query = ""
    model = "some-model"
    parameters: ClassVar[dict[str, object]] = {}
    """Those of the judge's identity that differ from the published ones; None: left out."""
    refusals = 0
    """How many requests it takes to learn them."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.requests = 0

    def __call__(self, request: Request) -> Answer:
        if request.method == "GET":
            return self.found(request) if self.has_key(request) else self.no_key()
        self.requests += 1
        if request.path != f"{self.base_path}/chat/completions":
            return self.no_path(request)
        if not self.has_key(request):
            return self.no_key()
        if request.body["model"] != self.model:
            return self.no_model(request.body["model"])
        refused = self.refused(request.body)
        if refused is not None:
            return refused
        self.bodies.append(request.body)
        return self.reply(request.body)

    def has_key(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {KEY}"

    def found(self, request: Request) -> Answer:
        return as_json({"error": {"message": "Not Found"}}, 404)

    def refused(self, body: dict[str, Any]) -> Answer | None:
        return None

    def reply(self, body: dict[str, Any]) -> Answer:
        return completion(VERDICT)

    def no_path(self, request: Request) -> Answer:
        return as_json({"detail": "Not Found"}, 404)

    def no_key(self) -> Answer:
        return error(401, "Incorrect API key provided.", code="invalid_api_key")

    def no_model(self, model: str) -> Answer:
        return error(404, f"The model `{model}` does not exist.", code="model_not_found")


def error(status: int, message: str, **more: object) -> Answer:
    """An error in OpenAI's form."""
    given = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return as_json({"error": given | more}, status)


class OpenAI(Server):
    """Models that do not think: they take what was published."""

    model = "gpt-4.1"

    def found(self, request: Request) -> Answer:
        if request.path == f"/v1/models/{self.model}":
            return as_json({"id": self.model, "object": "model", "owned_by": "system"})
        return error(404, "The model does not exist", code="model_not_found")

    def refused(self, body: dict[str, Any]) -> Answer | None:
        is_json = body.get("response_format", {}).get("type") == "json_object"
        if is_json and "json" not in str(body["messages"]).lower():
            return error(400, "'messages' must contain the word 'json'", param="messages")
        return None


class OpenAIReasoning(OpenAI):
    """gpt-5 and the o-series. Thinking counts against the limit, and may use all of it."""

    model = "gpt-5"
    thinking_tokens = 900
    parameters: ClassVar[dict[str, object]] = {
        "max_tokens": None,
        "max_completion_tokens": 4000,
        "temperature": None,
    }
    refusals = 2

    def refused(self, body: dict[str, Any]) -> Answer | None:
        if "max_tokens" in body:
            return error(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.",
                param="max_tokens",
                code="unsupported_parameter",
            )
        if body.get("temperature", 1) != 1:
            return error(
                400,
                f"Unsupported value: 'temperature' does not support {body['temperature']} with "
                "this model. Only the default (1) value is supported.",
                param="temperature",
                code="unsupported_value",
            )
        return super().refused(body)

    def reply(self, body: dict[str, Any]) -> Answer:
        limit = body["max_completion_tokens"]
        if limit < self.thinking_tokens:
            used = {"prompt_tokens": 100, "completion_tokens": limit}
            return completion("", finish_reason="length", usage=used)
        used = {"prompt_tokens": 100, "completion_tokens": self.thinking_tokens + 20}
        return completion(VERDICT, usage=used)


class OpenAIFirstReasoning(OpenAIReasoning):
    """o1-mini and o1-preview: no system message and no JSON mode either."""

    model = "o1-mini"
    parameters: ClassVar[dict[str, object]] = {
        **OpenAIReasoning.parameters,
        "response_format": None,
        "system_message_role": "user",
    }
    refusals = 5

    def refused(self, body: dict[str, Any]) -> Answer | None:
        if body["messages"][0]["role"] == "system":
            return error(
                400,
                "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
                param="messages[0].role",
                code="unsupported_value",
            )
        if "response_format" in body:
            kind = body["response_format"]["type"]
            return error(
                400,
                f"Invalid parameter: 'response_format' of type '{kind}' is not supported with "
                "this model.",
                param="response_format",
            )
        return super().refused(body)


class AzureOpenAI(OpenAIReasoning):
    """A deployment in the path, the API's version in the query, the key in its own header."""

    base_path = "/openai/deployments/judge"
    query = "?api-version=2024-12-01-preview"

    def __call__(self, request: Request) -> Answer:
        if request.query != self.query[1:]:
            return as_json({"error": {"code": "404", "message": "Resource not found"}}, 404)
        return super().__call__(request)

    def has_key(self, request: Request) -> bool:
        # A bearer token would be taken for one of Entra ID.
        return request.headers.get("api-key") == KEY and "authorization" not in request.headers

    def found(self, request: Request) -> Answer:
        return as_json({"error": {"code": "404", "message": "Resource not found"}}, 404)

    def no_path(self, request: Request) -> Answer:
        words = "The API deployment for this resource does not exist."
        return as_json({"error": {"code": "DeploymentNotFound", "message": words}}, 404)


class OpenRouter(Server):
    """Failures of a provider come as 200: the first two answers are such."""

    base_path = "/api/v1"
    model = "openai/gpt-4.1"

    def reply(self, body: dict[str, Any]) -> Answer:
        if len(self.bodies) == 1:
            told = {"code": 502, "message": "Provider returned error"}
            return as_json({"error": told | {"metadata": {"raw": "upstream is overloaded"}}})
        if len(self.bodies) == 2:
            failed = {"finish_reason": "error", "error": {"code": 502, "message": "lost"}}
            return as_json({"id": "gen-1", "choices": [{**failed, "message": {"content": ""}}]})
        return completion(VERDICT)


class Gemini(Server):
    """Google's OpenAI-compatible endpoint: fenced replies, and errors within a list."""

    base_path = "/v1beta/openai"
    model = "gemini-2.5-flash"

    def reply(self, body: dict[str, Any]) -> Answer:
        return completion(f"```json\n{VERDICT}\n```")

    def no_model(self, model: str) -> Answer:
        told = {"code": 404, "message": f"models/{model} is not found", "status": "NOT_FOUND"}
        return as_json([{"error": told}], 404)

    def no_key(self) -> Answer:
        told = {"code": 401, "message": "API key not valid.", "status": "UNAUTHENTICATED"}
        return as_json([{"error": told}], 401)


class Gemma(Gemini):
    """Its models that know neither a system message nor JSON mode."""

    model = "gemma-3-27b-it"
    parameters: ClassVar[dict[str, object]] = {
        "response_format": None,
        "system_message_role": "user",
    }
    refusals = 3

    def refused(self, body: dict[str, Any]) -> Answer | None:
        words = None
        if body["messages"][0]["role"] == "system":
            words = "Developer instruction is not enabled for models/gemma-3-27b-it"
        elif "response_format" in body:
            words = "JSON mode is not enabled for models/gemma-3-27b-it"
        told = {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}
        return as_json([{"error": told}], 400) if words else None


class Vllm(Server):
    """A thinking model whose thoughts come with the reply; errors at the top of the body."""

    model = "deepseek-r1"

    def found(self, request: Request) -> Answer:
        return as_json({"object": "error", "message": "Not Found", "code": 404}, 404)

    def reply(self, body: dict[str, Any]) -> Answer:
        return completion(f'<think>\nIs {{"label": "WRONG"}} right? No.\n</think>\n\n{VERDICT}')

    def no_model(self, model: str) -> Answer:
        words = f"The model `{model}` does not exist."
        told = {"object": "error", "message": words, "type": "NotFoundError", "code": 404}
        return as_json({**told, "param": None}, 404)


class LMStudio(Server):
    """Takes a schema where JSON is asked for; its errors are texts, and unknown paths are 200."""

    model = "qwen3-8b"
    parameters: ClassVar[dict[str, object]] = {"response_format": "json_schema"}
    refusals = 1

    def found(self, request: Request) -> Answer:
        return self.no_path(request)

    def refused(self, body: dict[str, Any]) -> Answer | None:
        if body.get("response_format", {}).get("type") in ("json_schema", "text", None):
            return None
        return as_json({"error": "'response_format.type' must be 'json_schema' or 'text'"}, 400)

    def no_path(self, request: Request) -> Answer:
        words = f"Unexpected endpoint or method. ({request.method} {request.path})"
        return as_json({"error": words})

    def no_model(self, model: str) -> Answer:
        return as_json({"error": f'Model "{model}" not found. Load it first.'}, 400)


class Ollama(Server):
    """Takes what was published, any key; small models write prose around the object."""

    model = "llama3.2"

    def has_key(self, request: Request) -> bool:
        return True

    def reply(self, body: dict[str, Any]) -> Answer:
        return completion(f"Here is my verdict:\n\n{VERDICT.replace('CORRECT', 'Correct.')}\n")

    def no_model(self, model: str) -> Answer:
        words = f"model '{model}' not found"
        return error(404, words, type="not_found_error")


class Mistral(Server):
    """Refuses as FastAPI does, by the place in the body; content is a list of parts."""

    model = "magistral-small"
    parameters: ClassVar[dict[str, object]] = {"temperature": None}
    refusals = 1

    def refused(self, body: dict[str, Any]) -> Answer | None:
        if "temperature" not in body:
            return None
        told = {"loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}
        return as_json({"detail": [told]}, 422)

    def reply(self, body: dict[str, Any]) -> Answer:
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": '{"label": "WRONG"}'}]}
        halves = [{"type": "text", "text": text} for text in re.split("(?<=,)", VERDICT)]
        return completion([thought, *halves])


SERVERS: tuple[type[Server], ...] = (
    OpenAI,
    OpenAIReasoning,
    OpenAIFirstReasoning,
    AzureOpenAI,
    OpenRouter,
    Gemini,
    Gemma,
    Vllm,
    LMStudio,
    Ollama,
    Mistral,
)
