"""A client of a stand-in for tests, and the forms of the published benchmark's requests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings

MAY = "2023-05-08T13:56:00Z"


class StandinClient:
    """A client of the memory service; methods return the response's JSON or raise for a status."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, path: str, **params: str | int) -> Any:
        return self.http.get(path, params=params).raise_for_status().json()

    def post(self, path: str, **fields: Any) -> Any:
        return self.http.post(path, json=fields).raise_for_status().json()

    def assistant(self, name: str = "LoCoMo Test Assistant") -> str:
        made = self.post("/assistants", name=name, description="remembers", tools=[])
        return str(made["assistant_id"])

    def thread(self, assistant_id: str) -> str:
        return str(self.post(f"/assistants/{assistant_id}/threads")["thread_id"])

    def turn(self, thread_id: str, content: str, **fields: str) -> Any:
        """A turn as the published benchmark sends it."""
        form = turn_form(content) | fields
        return self.http.post(f"/threads/{thread_id}/messages", data=form).raise_for_status().json()

    def ask(self, thread_id: str, content: str, **fields: str) -> list[dict[str, Any]]:
        """The events of a streamed question, up to where the stream was cut."""
        form = question_form(content) | fields
        got = b""
        path = f"/threads/{thread_id}/messages"
        with self.http.stream("POST", path, data=form) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                got += chunk
        return events(got)

    def contents(self, thread_id: str) -> list[str]:
        return [message["content"] for message in self.get(f"/threads/{thread_id}")["messages"]]


def turn_form(content: str) -> dict[str, str]:
    return {
        "content": content,
        "stream": "false",
        "memory": "auto",
        "send_to_llm": "false",
        "metadata": json.dumps({"custom_timestamp": MAY}),
    }


def question_form(content: str) -> dict[str, str]:
    return {"content": content, "stream": "true", "memory": "Readonly", "send_to_llm": "true"}


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each is one `data:` line and an empty line."""
    *blocks, rest = stream.decode().split("\n\n")
    assert rest == ""
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


@contextmanager
def connect(urls: BaseUrls) -> Iterator[StandinClient]:
    headers = {"X-API-Key": DEFAULT_KEY}
    # Nothing is encrypted here, and loading the machine's certificates is slow.
    with httpx.Client(base_url=urls.backboard, headers=headers, verify=False) as http:
        yield StandinClient(http)


@contextmanager
def standin_client(folder: Path, **settings: Any) -> Iterator[StandinClient]:
    """A client of a new stand-in with these settings on a real socket."""
    state = folder / "state.sqlite"
    with running_standin(StandinSettings(**settings), state) as urls, connect(urls) as client:
        yield client
