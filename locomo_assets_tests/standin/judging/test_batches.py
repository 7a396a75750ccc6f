"""The stand-in's Batch API, driven by the real `openai` client over a real socket."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from openai.types import Batch

from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.standin.judging.test_judge import prompt

HOUR_MS = 3_600_000.0


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[AsyncOpenAI]:
    with running_standin(StandinSettings(**settings), folder / "state.sqlite") as urls:
        async with AsyncOpenAI(api_key=DEFAULT_KEY, base_url=urls.openai, max_retries=0) as client:
            yield client


def line(name: str, text: str, **changed: Any) -> str:
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": text}]}
    asked = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(asked | changed)


def ten() -> list[str]:
    return [line(f"q{n}", prompt("On 7 May 2023")) for n in range(10)]


async def sent(client: AsyncOpenAI, lines: list[str], **metadata: str) -> Batch:
    file = await client.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch")
    return await client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata=metadata,
    )


async def told(client: AsyncOpenAI, file_id: str | None) -> list[dict[str, Any]]:
    if file_id is None:
        return []
    text = (await client.files.content(file_id)).text
    return [json.loads(one) for one in text.splitlines()]


def pass_time(folder: Path, share: float) -> None:
    """As if so much of every batch's time were over."""
    with closing(sqlite3.connect(folder / "state.sqlite", timeout=30)) as db, db:
        db.execute(
            "UPDATE batches SET created_at = created_at - ? * (ends_at - created_at),"
            " ends_at = ends_at - ? * (ends_at - created_at)",
            (share, share),
        )


async def test_a_batch_is_judged_once_and_reported_in_its_files(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        lines = [
            line("right", prompt("On 7 May 2023")),
            line("wrong", prompt("In 1999")),
            line("none", "Hello!"),
        ]
        made = await sent(client, lines, ours="x")
        assert (made.status, made.metadata) == ("validating", {"ours": "x"})
        over = await client.batches.retrieve(made.id)
        assert over.status == "completed"
        assert over.request_counts is not None
        assert over.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}
        given = {
            one["custom_id"]: one["response"] for one in await told(client, over.output_file_id)
        }
        labels = [
            json.loads(given[name]["body"]["choices"][0]["message"]["content"])["label"]
            for name in ("right", "wrong")
        ]
        assert labels == ["CORRECT", "WRONG"]
        assert given["right"]["body"]["usage"]["total_tokens"] > 0
        (refused,) = await told(client, over.error_file_id)
        assert (refused["custom_id"], refused["response"]["status_code"]) == ("none", 400)
        again = await client.batches.retrieve(made.id)
        assert again.output_file_id == over.output_file_id


async def test_another_process_of_the_same_state_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, batch_delay_ms=HOUR_MS) as client:
        made = await sent(client, ten())
    pass_time(tmp_path, 1.0)
    async with serving(tmp_path) as client:
        over = await client.batches.retrieve(made.id)
        assert over.status == "completed"
        assert len(await told(client, over.output_file_id)) == 10


async def test_its_states_follow_each_other_and_a_cancel_keeps_what_is_done(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, batch_delay_ms=HOUR_MS) as client:
        made = await sent(client, ten())
        seen = [(await client.batches.retrieve(made.id)).status]
        pass_time(tmp_path, 0.5)
        halfway = await client.batches.retrieve(made.id)
        assert halfway.request_counts is not None
        assert halfway.request_counts.completed == 5
        other = await sent(client, ten())
        pass_time(tmp_path, 0.45)
        seen += [halfway.status, (await client.batches.retrieve(made.id)).status]
        assert seen == ["validating", "in_progress", "finalizing"]
        assert (await client.batches.cancel(other.id)).status == "cancelling"
        over = await client.batches.retrieve(other.id)
        assert over.status == "cancelled"
        done = await told(client, over.output_file_id)
        rest = await told(client, over.error_file_id)
        assert len(done) == 4
        assert {one["error"]["code"] for one in rest} == {"batch_cancelled"}
        assert len(rest) == 6


@pytest.mark.parametrize(
    ("settings", "status", "done", "code"),
    [
        ({"batch_failed_share": 1.0}, "failed", 0, "token_limit_exceeded"),
        ({"batch_expired_share": 1.0}, "expired", 5, "batch_expired"),
        ({"batch_request_failed_share": 1.0}, "completed", 0, None),
    ],
)
async def test_faults(
    tmp_path: Path, settings: dict[str, float], status: str, done: int, code: str | None
) -> None:
    async with serving(tmp_path, **settings) as client:
        over = await client.batches.retrieve((await sent(client, ten())).id)
        assert over.status == status
        assert len(await told(client, over.output_file_id)) == done
        failed = await told(client, over.error_file_id)
        if status == "failed":
            assert over.errors is not None
            assert [one.code for one in over.errors.data or []] == [code]
        elif code:
            assert {one["error"]["code"] for one in failed} == {code}
        else:
            assert {one["response"]["status_code"] for one in failed} == {500}


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "empty_file"),
        (["{"], "invalid_json_line"),
        ([line("a", "x"), line("a", "x")], "duplicate_custom_id"),
        ([line("a", "x", url="/v1/embeddings")], "invalid_request"),
    ],
)
async def test_an_invalid_file_fails_the_whole_batch(
    tmp_path: Path, lines: list[str], code: str
) -> None:
    async with serving(tmp_path, batch_delay_ms=HOUR_MS) as client:
        over = await client.batches.retrieve((await sent(client, lines)).id)
        assert over.status == "failed"
        assert over.errors is not None
        assert [one.code for one in over.errors.data or []] == [code]


async def test_batches_are_listed_newest_first_page_by_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        made = [(await sent(client, ten()[:1])).id for _ in range(3)]
        assert [one.id async for one in client.batches.list(limit=2)] == made[::-1]


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        for missing in (
            client.batches.retrieve("batch_x"),
            client.batches.cancel("batch_x"),
            client.files.content("file-x"),
            client.files.delete("file-x"),
        ):
            with pytest.raises(NotFoundError):
                await missing
        with pytest.raises(BadRequestError, match="names no file"):
            await client.batches.create(
                input_file_id="file-x",
                endpoint="/v1/chat/completions",
                completion_window="24h",
            )
        file = await client.files.create(file=("a", b"x"), purpose="batch")
        assert (await client.files.delete(file.id)).deleted


@pytest.fixture
def of_version_1(tmp_path: Path) -> Path:
    path = tmp_path / "state.sqlite"
    schema = files("locomo_assets.standin").joinpath("schema.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{schema};PRAGMA user_version = 1")
    return tmp_path


async def test_a_state_of_before_batches_gets_them(of_version_1: Path) -> None:
    async with serving(of_version_1) as client:
        assert [one async for one in client.batches.list()] == []
