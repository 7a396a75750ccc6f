"""Lines as JSON: their fields, and no key in any of them."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from locomo_assets import redaction
from locomo_assets.http.calls import CallRecord, log_body, log_call
from locomo_assets.logs import JsonLines, telling
from locomo_assets_tests.secrets.searching import BACKBOARD_KEY, holds_a_key


class _Kept(logging.Handler):
    """Keeps lines as they would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def read(self) -> list[dict[str, Any]]:
        assert all("\n" not in line for line in self.lines)
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def kept() -> Iterator[_Kept]:
    handler, logger = _Kept(), logging.getLogger("locomo_assets")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_keys", (BACKBOARD_KEY,))


def _call(**values: Any) -> CallRecord:
    usual = {
        "call_id": "c",
        "service": "backboard",
        "endpoint": "POST /threads/{id}/messages",
        "status": 200,
        "error": None,
        "attempt": 1,
        "latency_ms": 12.3456,
        "in_flight": 1,
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
        "started_at": datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
        "request_id": "req-1",
    }
    return CallRecord(**{**usual, **values})


def test_request_tells_all_about_itself(kept: _Kept) -> None:
    with telling(run_id="run-1"), telling(partition="conv-26|r1"):
        log_call(_call())
        log_call(_call(status=429, error="RateLimitedError", attempt=2, request_id=None))
    went_well, refused = kept.read()
    assert went_well.pop("time").endswith("+00:00")
    assert went_well == {
        "level": "DEBUG",
        "logger": "locomo_assets.http.calls",
        "message": "POST /threads/{id}/messages: HTTP 200, attempt 1, 12 ms",
        "run_id": "run-1",
        "partition": "conv-26|r1",
        "service": "backboard",
        "endpoint": "POST /threads/{id}/messages",
        "status": 200,
        "latency_ms": 12.3,
        "attempt": 1,
        "request_id": "req-1",
    }
    assert (refused["level"], refused["error"]) == ("WARNING", "RateLimitedError")
    assert "request_id" not in refused


def test_what_is_told_goes_into_tasks_and_stays_there(kept: _Kept) -> None:
    async def work(name: str) -> None:
        with telling(partition=name):
            await asyncio.sleep(0)
            log_call(_call())

    async def both() -> None:
        with telling(run_id="run-1"):
            await asyncio.gather(work("a"), work("b"))
            log_call(_call())

    asyncio.run(both())
    log_call(_call())
    told = [(line.get("run_id"), line.get("partition")) for line in kept.read()]
    assert told == [("run-1", "a"), ("run-1", "b"), ("run-1", None), (None, None)]


@pytest.mark.usefixtures("planted")
def test_no_key_in_any_field(kept: _Kept) -> None:
    log = logging.getLogger("locomo_assets.somewhere")
    log_body("backboard", "POST /x", "sent", {"a": [f"x {BACKBOARD_KEY}"], BACKBOARD_KEY: 1})
    log_body("judge", "POST /y", "received", f'{{"key": "{BACKBOARD_KEY}"}}'.encode())
    log.warning("it said %s", BACKBOARD_KEY)
    log.warning("an object", extra={"what": ValueError(BACKBOARD_KEY)})
    log_call(_call(request_id=BACKBOARD_KEY))
    try:
        raise ValueError(f"first line\nkey {BACKBOARD_KEY}")
    except ValueError:
        log.exception("failed:\n%s", BACKBOARD_KEY)
    lines = kept.read()
    assert len(lines) == 6
    assert not holds_a_key("\n".join(kept.lines))
    assert sum("***" in line for line in kept.lines) == 6
    assert "ValueError" in lines[-1]["traceback"]


def test_bodies_at_debug_only(kept: _Kept) -> None:
    logging.getLogger("locomo_assets").setLevel(logging.INFO)
    log_body("backboard", "POST /x", "sent", {"content": "what somebody said"})
    log_call(_call())
    assert kept.lines == []
    log_call(_call(status=None, error="ConnectionBrokenError"))
    [line] = kept.read()
    assert line["level"] == "WARNING"
    assert "status" not in line
