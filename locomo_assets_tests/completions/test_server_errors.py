"""Servers' errors in their own words: what is refused, what is over, and with which status."""

import json
from dataclasses import replace
from typing import Any

import pytest

from locomo_assets.completions.server_errors import error_within, read_error
from locomo_assets.judging.verdict_request import VerdictParameters, read_verdict


@pytest.mark.parametrize(
    ("status", "words", "name"),
    [
        (400, "maxTokens is not supported", "limit"),
        (404, "No endpoints found that support temperature", "temperature"),
        (400, "Sampling parameters are not supported by this model", "temperature"),
        (400, "This model does not support JSON output", "format"),
        (400, "a response mime type: 'application/json' is unsupported", "format"),
        (400, "'system' role is not supported", "system"),
        (400, 'messages: Unexpected role "system".', "system"),
        (
            422,
            [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user'"}],
            "system",
        ),
        (500, "Jinja Exception: System role not supported", "system"),
        (500, "temperature sensor lost", None),
        (429, "temperature is not supported", None),
        (400, "max_tokens is too large: 300", None),
    ],
)
def test_a_refused_parameter_is_known_by_other_words(
    status: int, words: object, name: str | None
) -> None:
    first = VerdictParameters()
    changed = {
        "limit": replace(first, limit_name="max_completion_tokens"),
        "temperature": replace(first, temperature=None),
        "format": replace(first, response_format="json_schema"),
        "system": replace(first, has_system_role=False),
    }
    assert first.adapted(read_error({"detail": words}, status)) == (name and changed[name])


@pytest.mark.parametrize(
    ("status", "told", "fatal"),
    [
        (400, {"message": "Your credit balance is too low to access the API."}, "credit"),
        (403, {"message": "Sorry, your account balance is insufficient", "code": 30001}, "credit"),
        (403, {"message": "Key limit exceeded (total limit)", "code": 403}, "credit"),
        (429, {"message": "Insufficient balance. Please recharge.", "code": "1113"}, "credit"),
        (429, {"message": "used all available credits or reached its spending limit"}, "credit"),
        (400, {"message": "Budget has been exceeded!", "type": "budget_exceeded"}, "credit"),
        (400, {"message": "Access denied", "code": "Arrearage"}, "credit"),
        (429, {"message": "Buy", "metadata": {"raw": '{"code": "insufficient_quota"}'}}, "credit"),
        (429, {"error": {"message": "Buy", "code": "insufficient_quota"}}, "credit"),
        (429, {"message": "You exceeded your current quota. Please retry in 32.1s."}, None),
        (429, {"message": "Rate limit reached", "code": "rate_limit_exceeded"}, None),
        (429, {"message": "Per-key limit of 60 requests a minute"}, None),
        (400, {"message": "API key not valid. Please pass a valid API key."}, "key"),
        (400, {"message": "x is not a valid model ID"}, "model"),
        (400, {"message": "no longer supported", "code": "model_decommissioned"}, "model"),
    ],
)
def test_what_repeating_cannot_help_is_known_by_other_words(
    status: int, told: dict[str, Any], fatal: str | None
) -> None:
    assert read_error({"error": told}, status).fatal == fatal
    assert read_error([{"error": told}], status).fatal == fatal


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ([{"error": {"code": 401, "message": "m"}}], 401, "m"),
        ({"error": {"status": 429, "message": "m"}}, 429, "m"),
        ({"error": {"status": "RESOURCE_EXHAUSTED", "message": "m"}}, 429, "m"),
        ({"error": {"statusCode": "503", "message": "m"}}, 503, "m"),
        ({"error": {"error": {"code": 402, "message": "m"}}}, 402, "m"),
        ({"error": "m", "status": 402}, 402, "m"),
        ({"error": True, "message": "m", "code": 500}, 500, "m"),
    ],
)
def test_an_error_in_a_200_has_a_status_in_any_form(body: object, status: int, words: str) -> None:
    said = error_within(json.dumps(body).encode())
    assert said is not None
    assert (said.status, said.words) == (status, words)


def test_what_is_said_in_place_of_a_completion_is_kept() -> None:
    for body in ({"detail": "not yet"}, {"code": 7, "msg": "not yet"}, {"error": "not yet"}):
        reply, _ = read_verdict(body)
        assert reply.reason == "the server's answer is not a chat completion: not yet"
