"""The reference way of working: one thing after the other, as the published script does.

Here: a sequential client of the published protocol (facts 2–9 of it: a thread a session, turn by
turn, waiting for each memory operation, all questions in one thread, one verdict at a time). It
shares nothing with the project's clients but the data set's reading and the prompts' texts.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from openai import OpenAI

from locomo_assets.backboard.messages import message_text
from locomo_assets.judging.prompts import read_prompt
from locomo_assets.locomo.model import Conversation
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.standin.settings import DEFAULT_KEY

_WAIT_S = 10.0
_EAGER_S, _EAGER_PAUSE_S, _LATER_PAUSE_S = 2.0, 0.2, 1.0


class SequentialClient:
    """Measures conversations one by one; counts what it did."""

    def __init__(self, root: str) -> None:
        self._http = httpx.Client(
            base_url=f"{root}/api", headers={"X-API-Key": DEFAULT_KEY}, timeout=60.0
        )
        self._judge = OpenAI(base_url=f"{root}/v1", api_key=DEFAULT_KEY)
        self._prompt = read_prompt("generous")
        self.turns = self.answers = self.verdicts = 0

    def measure(self, path: Path) -> None:
        """All conversations of a file: ingested, asked, judged."""
        for conversation in read_dataset(str(path)).conversations:
            assistant_id = self._post("/assistants", {"name": f"reference {time.time_ns()}"})[
                "assistant_id"
            ]
            self._ingest(conversation, assistant_id)
            self._ask(conversation, assistant_id)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()
        self._judge.close()

    def _post(self, path: str, body: object) -> dict[str, str]:
        answer: dict[str, str] = self._http.post(path, json=body).raise_for_status().json()
        return answer

    def _ingest(self, conversation: Conversation, assistant_id: str) -> None:
        for session in conversation.sessions:
            thread_id = self._post(f"/assistants/{assistant_id}/threads", {})["thread_id"]
            stamp = session.started_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            for turn in session.turns:
                form = {
                    "content": message_text(turn),
                    "stream": "false",
                    "memory": "auto",
                    "send_to_llm": "false",
                    "metadata": json.dumps({"custom_timestamp": stamp}),
                }
                answer = self._http.post(f"/threads/{thread_id}/messages", data=form)
                self._wait(answer.raise_for_status().json()["memory_operation_id"])
                self.turns += 1

    def _wait(self, operation_id: str | None) -> None:
        begun = time.monotonic()
        while operation_id and time.monotonic() - begun < _WAIT_S:
            answer = self._http.get(f"/assistants/memories/operations/{operation_id}")
            if answer.json().get("status", "").upper() in ("COMPLETED", "ERROR"):
                return
            eager = time.monotonic() - begun < _EAGER_S
            time.sleep(_EAGER_PAUSE_S if eager else _LATER_PAUSE_S)

    def _ask(self, conversation: Conversation, assistant_id: str) -> None:
        thread_id = self._post(f"/assistants/{assistant_id}/threads", {})["thread_id"]
        for question in conversation.questions:
            form = {
                "content": question.question,
                "stream": "true",
                "memory": "auto",
                "send_to_llm": "true",
            }
            path = f"/threads/{thread_id}/messages"
            with self._http.stream("POST", path, data=form) as stream:
                answer = "".join(_pieces(stream.iter_lines()))
            self.answers += 1
            self._verdict(question.question, question.gold_answer or "", answer)

    def _verdict(self, question: str, gold: str, answer: str) -> None:
        prompt = self._prompt.fill(question=question, gold_answer=gold, generated_answer=answer)
        self._judge.chat.completions.create(
            model="gpt-4.1",
            temperature=0.1,
            max_tokens=300,
            response_format={"type": "json_object"},
            messages=[
                {"role": "system", "content": "Judge. Return JSON only."},
                {"role": "user", "content": prompt},
            ],
        )
        self.verdicts += 1


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("data: "):
            event = json.loads(line.removeprefix("data: "))
            if event.get("type") == "content_streaming":
                yield event["content"]
