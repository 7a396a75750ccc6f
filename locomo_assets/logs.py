"""What this process logs: plain text, or one JSON object a line, with keys taken out.

JSON fields: `time` (UTC), `level`, `logger`, `message`; where known `run_id` and `partition`; of a
request `service`, `endpoint`, `status`, `error`, `latency_ms`, `attempt`, `request_id`; of a
failure `traceback`; at DEBUG alone `body`.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from locomo_assets.redaction import hide_everywhere

ROOT = "locomo_assets"
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_DAGSTER = "dagster_meta"

_told: ContextVar[Mapping[str, str]] = ContextVar("told", default={})  # noqa: B039  # a default, never changed


@contextmanager
def telling(**fields: str) -> Iterator[None]:
    """Adds fields to every JSON line that is logged inside, child tasks included."""
    token = _told.set({**_told.get(), **fields})
    try:
        yield
    finally:
        _told.reset(token)


class JsonLines(JsonFormatter):
    """A record as one line; Dagster's own with the run and the step that they are of."""

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(
            timespec="milliseconds"
        )
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = record.getMessage()
        log_data.update(_told.get())
        extra = {
            name: value
            for name, value in record.__dict__.items()
            if name not in RESERVED_ATTRS and not name.startswith(("_", "dagster_"))
        }
        log_data.update((name, value) for name, value in extra.items() if value is not None)
        if (meta := getattr(record, _DAGSTER, None)) is not None:
            log_data["message"] = meta["orig_message"]
            for name in ("run_id", "step_key"):
                if meta.get(name):
                    log_data[name] = meta[name]
        if (failure := message_dict.get("exc_info")) is not None:
            log_data["traceback"] = failure

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        cleaned: dict[str, Any] = hide_everywhere(log_data)
        return cleaned


class _JsonLogger(logging.Logger):
    """Loggers that are made from here on: Dagster gives its own a coloured handler for each run."""

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802  # logging's own name
        _as_json(hdlr)
        super().addHandler(hdlr)


def configure(form: str, level: str) -> None:
    """From here on this process logs in a form (`json` or `text`) and at a level of our loggers.

    Other libraries' loggers stay as they are, at WARNING where they are not set. As text nothing
    is changed but the level: a line goes where Python sends it.
    """
    logging.getLogger(ROOT).setLevel(level)
    if form == "text":
        if level in ("DEBUG", "INFO") and not logging.getLogger(ROOT).handlers:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter(_TEXT))
            logging.getLogger(ROOT).addHandler(handler)
        return
    logging.setLoggerClass(_JsonLogger)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for logger in (root, *root.manager.loggerDict.values()):
        for handler in getattr(logger, "handlers", ()):
            _as_json(handler)
    logging.captureWarnings(True)


def _as_json(handler: logging.Handler) -> None:
    """Where a handler writes to this process's console."""
    if getattr(handler, "stream", None) in (sys.stdout, sys.stderr):
        handler.setFormatter(JsonLines())
