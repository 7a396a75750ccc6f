"""The judge's Batch API: `/v1/files` and `/v1/batches`.

A batch's requests are carried out when a client first asks for the batch after its end.
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from locomo_assets.standin import payloads
from locomo_assets.standin.judging.batch_state import (
    BatchState,
    Fate,
    Outcome,
    StoredBatch,
    StoredFile,
)
from locomo_assets.standin.judging.completions import complete
from locomo_assets.standin.service import Service

ENDPOINT = "/v1/chat/completions"
_WINDOW_S = 24 * 3600
_MOST_REQUESTS = 50_000
_NOT_REACHED = {
    "expired": ("batch_expired", "The completion window ended before this request was reached."),
    "cancelled": ("batch_cancelled", "The batch was cancelled before this request was reached."),
}


class BatchCalls:
    """Handlers over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._state = BatchState(service.state)

    def routes(self) -> list[Route]:
        """Paths are below `/v1`."""
        return [
            Route("/files", self.upload, methods=["POST"]),
            Route("/files/{file_id}", self.file, methods=["GET"]),
            Route("/files/{file_id}", self.delete_file, methods=["DELETE"]),
            Route("/files/{file_id}/content", self.content, methods=["GET"]),
            Route("/batches", self.create, methods=["POST"]),
            Route("/batches", self.batches, methods=["GET"]),
            Route("/batches/{batch_id}", self.batch, methods=["GET"]),
            Route("/batches/{batch_id}/cancel", self.cancel, methods=["POST"]),
        ]

    async def upload(self, request: Request) -> JSONResponse:
        await self._service.other_latency()
        async with request.form() as form:
            file, purpose = form.get("file"), form.get("purpose")
            if not isinstance(file, UploadFile) or purpose != "batch":
                raise HTTPException(400, "a file is uploaded as `file`, with the purpose `batch`")
            created = self._state.save_file(file.filename or "file", purpose, await file.read())
        return JSONResponse(_file_json(created))

    async def file(self, request: Request) -> JSONResponse:
        await self._service.other_latency()
        return JSONResponse(_file_json(self._file(request)))

    async def delete_file(self, request: Request) -> JSONResponse:
        await self._service.other_latency()
        file_id = request.path_params["file_id"]
        if not self._state.delete_file(file_id):
            raise payloads.not_found("File")
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    async def content(self, request: Request) -> Response:
        await self._service.other_latency()
        return Response(self._file(request).content, media_type="application/octet-stream")

    async def create(self, request: Request) -> JSONResponse:
        await self._service.other_latency()
        fields = await payloads.read_fields(request)
        if fields.get("endpoint") != ENDPOINT or fields.get("completion_window") != "24h":
            raise HTTPException(400, f"the stand-in's batches need {ENDPOINT} and 24h")
        file = self._state.file(payloads.text(fields, "input_file_id") or "")
        if file is None or file.purpose != "batch":
            raise HTTPException(400, "input_file_id names no file with the purpose `batch`")
        errors = list(_faults(file.content))
        fate = self._fate()
        if fate == "failed" and not errors:
            errors = [_fault("token_limit_exceeded", "The stand-in fails, as configured")]
        created = self._state.create(
            file.file_id,
            {name: str(value) for name, value in payloads.metadata(fields).items()},
            requests=len(_lines(file.content)),
            fate="failed" if errors else fate,
            errors=errors,
            delay_s=self._service.settings.batch_delay_ms / 1000.0,
        )
        return JSONResponse(_batch_json(created, "validating"))

    async def batches(self, request: Request) -> JSONResponse:
        await self._service.other_latency()
        limit = payloads.integer(request.query_params, "limit", 20, 1, 100)
        found = self._state.batches(after=request.query_params.get("after"), limit=limit + 1)
        page = [self._settled(batch) for batch in found[:limit]]
        now = time.time()
        return JSONResponse(
            {
                "object": "list",
                "data": [_batch_json(batch, batch.status(now)) for batch in page],
                "first_id": page[0].batch_id if page else None,
                "last_id": page[-1].batch_id if page else None,
                "has_more": len(found) > limit,
            }
        )

    async def batch(self, request: Request) -> JSONResponse:
        await self._service.other_latency()
        found = self._settled(self._batch(request))
        return JSONResponse(_batch_json(found, found.status(time.time())))

    async def cancel(self, request: Request) -> JSONResponse:
        await self._service.other_latency()
        found = self._batch(request)
        self._state.cancel(found.batch_id)
        return JSONResponse(_batch_json(found, "cancelling"))

    def _file(self, request: Request) -> StoredFile:
        found = self._state.file(request.path_params["file_id"])
        if found is None:
            raise payloads.not_found("File")
        return found

    def _batch(self, request: Request) -> StoredBatch:
        found = self._state.batch(request.path_params["batch_id"])
        if found is None:
            raise payloads.not_found("Batch")
        return found

    def _fate(self) -> Fate:
        faults, settings = self._service.faults, self._service.settings
        if faults.occurs("batch_failed", settings.batch_failed_share):
            return "failed"
        if faults.occurs("batch_expired", settings.batch_expired_share):
            return "expired"
        return "completed"

    def _settled(self, batch: StoredBatch) -> StoredBatch:
        is_over = batch.cancelled_at is not None or batch.progress(time.time()) >= 1.0
        if not is_over or batch.judged is not None:
            return batch
        self._state.settle(batch.batch_id, self._outcome)
        return self._state.batch(batch.batch_id) or batch

    def _outcome(self, batch: StoredBatch, content: bytes) -> Outcome:
        if batch.fate == "failed":
            return Outcome(b"", b"", 0, 0)
        now = time.time()
        reached, status = batch.begun(now), batch.status(now)
        given: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for number, line in enumerate(_lines(content)):
            asked = json.loads(line)
            answer: dict[str, Any] = {
                "id": f"batch_req_{uuid.uuid4().hex}",
                "custom_id": asked["custom_id"],
                "response": None,
                "error": None,
            }
            if number >= reached:
                code, message = _NOT_REACHED[status]
                refused.append({**answer, "error": {"code": code, "message": message}})
                continue
            status_code, body = self._complete(asked["body"])
            response = {
                "status_code": status_code,
                "request_id": uuid.uuid4().hex,
                "body": body,
            }
            (given if status_code == 200 else refused).append({**answer, "response": response})
        return Outcome(_jsonl(given), _jsonl(refused), len(given), len(refused))

    def _complete(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        service = self._service
        if service.faults.occurs(
            "batch_request_failed", service.settings.batch_request_failed_share
        ):
            return 500, {"error": {"message": "The stand-in fails, as configured"}}
        try:
            return 200, complete(body, service).body
        except HTTPException as error:
            return error.status_code, {"error": {"message": error.detail}}


def _lines(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if line.strip()]


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _faults(content: bytes) -> Iterator[dict[str, Any]]:
    """The errors of an input file, as a whole or in one of its lines."""
    lines = _lines(content)
    if not lines:
        yield _fault("empty_file", "The file has no requests")
    if len(lines) > _MOST_REQUESTS:
        yield _fault("too_many_requests", f"The file has more than {_MOST_REQUESTS} requests")
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        try:
            asked = json.loads(line)
            name, body = asked["custom_id"], asked["body"]
            fits = (asked["method"], asked["url"]) == ("POST", ENDPOINT)
        except (ValueError, LookupError, TypeError, RecursionError):
            yield _fault("invalid_json_line", "The line is not a request", number)
            continue
        if not isinstance(name, str) or not isinstance(body, dict) or not fits:
            yield _fault("invalid_request", "The line is not a request for this endpoint", number)
        elif name in seen:
            yield _fault("duplicate_custom_id", f"custom_id {name} is there twice", number)
        else:
            seen.add(name)


def _fault(code: str, message: str, line: int | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None, "line": line}


def _file_json(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.file_id,
        "object": "file",
        "bytes": len(file.content),
        "created_at": int(file.created_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }


def _batch_json(batch: StoredBatch, status: str) -> dict[str, Any]:
    judged, failed = batch.judged, batch.failed
    if judged is None or failed is None:
        judged, failed = (0 if status == "validating" else batch.begun(time.time())), 0
    ended = int(batch.cancelled_at or batch.ends_at)
    errors = {"object": "list", "data": batch.errors} if status == "failed" else None
    return {
        "id": batch.batch_id,
        "object": "batch",
        "endpoint": ENDPOINT,
        "errors": errors,
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": int(batch.created_at),
        "expires_at": int(batch.created_at) + _WINDOW_S,
        **{
            f"{end}_at": ended if status == end else None
            for end in ("completed", "failed", "expired", "cancelled")
        },
        "request_counts": {
            "total": 0 if status == "failed" else batch.requests,
            "completed": judged,
            "failed": failed,
        },
        "metadata": batch.metadata,
    }
