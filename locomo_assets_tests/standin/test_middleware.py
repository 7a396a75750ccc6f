"""What applies to every request, over real sockets: system name, key, limits, faults."""

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from locomo_assets.standin.middleware import FaultInjector
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.standin.client import (
    StandinClient,
    connect,
    question_form,
    standin_client,
    turn_form,
)

CASE = "Question: Who?\nGold answer: Ada\nGenerated answer: Ada"
LOST = (httpx.RemoteProtocolError, httpx.ReadError)


def test_every_answer_names_the_system(client: StandinClient, urls: BaseUrls) -> None:
    for response in (
        client.http.get("/assistants"),
        client.http.get("/assistants/none"),
        client.http.get("/no/such/path"),
        client.http.patch("/assistants"),
        client.http.post("/assistants", json={}),
        httpx.get(f"{urls.backboard}/assistants"),
        httpx.get(f"{urls.openai}/models"),
    ):
        assert response.headers["X-Locomo-System"] == "standin"
    assert client.http.get("/no/such/path").json() == {"detail": "Not Found"}
    assert client.http.patch("/assistants").status_code == 405


@pytest.mark.parametrize("key", [None, "", "wrong", DEFAULT_KEY + "x"])
def test_a_wrong_key_does_nothing(client: StandinClient, urls: BaseUrls, key: str | None) -> None:
    thread_id = client.thread(client.assistant())
    headers = {} if key is None else {"X-API-Key": key}
    url = f"{urls.backboard}/threads/{thread_id}/messages"
    response = httpx.post(url, data=turn_form("Ada: x"), headers=headers)
    assert (response.status_code, response.json()) == (
        401,
        {"detail": "Invalid or missing API key"},
    )
    assert client.contents(thread_id) == []


def test_several_keys(tmp_path: Path) -> None:
    settings = StandinSettings(keys=("one", "two"))
    with running_standin(settings, tmp_path / "state.sqlite") as urls:
        for key, status in (("one", 200), ("two", 200), (DEFAULT_KEY, 401)):
            response = httpx.get(f"{urls.backboard}/assistants", headers={"X-API-Key": key})
            assert response.status_code == status


@pytest.mark.parametrize(
    ("setting", "statuses"),
    [("rate_limited_share", {429}), ("server_error_share", {500, 502, 503})],
)
def test_refusals_do_nothing(tmp_path: Path, setting: str, statuses: set[int]) -> None:
    path = tmp_path / "state.sqlite"
    with running_standin(StandinSettings(), path) as sound, connect(sound) as client:
        thread_id = client.thread(client.assistant())
        with standin_client(tmp_path, **{setting: 1.0}, retry_after_s=7) as faulty:
            seen = [
                faulty.http.post(f"/threads/{thread_id}/messages", data=turn_form("Ada: x"))
                for _ in range(30)
            ]
        assert {response.status_code for response in seen} == statuses
        assert all(set(response.json()) == {"detail"} for response in seen)
        waits = {response.headers.get("Retry-After") for response in seen}
        assert waits == ({"7"} if statuses == {429} else {None})
        assert client.contents(thread_id) == []


def test_a_lost_answer_was_done_once_and_gives_no_byte(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with running_standin(StandinSettings(), path) as sound, connect(sound) as client:
        thread_id = client.thread(client.assistant())
        with standin_client(tmp_path, lost_answer_share=1.0) as faulty:
            url = f"/threads/{thread_id}/messages"
            for number in range(5):
                with pytest.raises(LOST):
                    faulty.http.post(url, data=turn_form(f"Ada: {number}"))
            with (
                pytest.raises(LOST),
                faulty.http.stream("POST", url, data=question_form("Who?")) as response,
            ):
                response.read()
        said = client.contents(thread_id)
        assert said[:5] == [f"Ada: {number}" for number in range(5)]
        assert said[5] == "Who?"
        assert len(said) == 7


def test_a_request_refused_after_the_work_was_done_once(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with running_standin(StandinSettings(), path) as sound, connect(sound) as client:
        assistant_id = client.assistant()
        thread_id = client.thread(assistant_id)
        refusing: dict[str, Any] = {
            "refused_after_share": 1.0,
            "refused_after_statuses": (408, 429, 504),
        }
        with standin_client(tmp_path, **refusing, retry_after_s=7) as faulty:
            url = f"/threads/{thread_id}/messages"
            forms = [turn_form(f"Ada: {n}") for n in range(20)] + [question_form("Who?")]
            seen = [faulty.http.post(url, data=form) for form in forms]
            assert faulty.http.post(f"/assistants/{assistant_id}/threads").status_code >= 400
            # Reading has no effect that could precede the refusal.
            assert faulty.http.get(f"/threads/{thread_id}").status_code == 200
        assert {response.status_code for response in seen} == {408, 429, 504}
        assert all(set(response.json()) == {"detail"} for response in seen)
        waits = {response.headers.get("Retry-After") for response in seen}
        assert waits == {"7", None}
        said = client.contents(thread_id)
        assert said[:21] == [*(f"Ada: {n}" for n in range(20)), "Who?"]
        assert len(said) == 22  # the answer too
        assert len(client.get(f"/assistants/{assistant_id}/threads")) == 2


def test_a_late_request_is_done_once_and_later(tmp_path: Path) -> None:
    with standin_client(tmp_path) as sound:
        assistant_id = sound.assistant()
        thread_id = sound.thread(assistant_id)
        late: dict[str, Any] = {
            "late_share": 1.0,
            "late_s": (1.0, 1.2),
            "late_statuses": (0, 408, 503),
        }
        with standin_client(tmp_path, **late) as faulty:
            url = f"/threads/{thread_id}/messages"
            statuses = []
            began = time.monotonic()
            for number in range(12):
                try:
                    form = turn_form(f"Ada: {number}")
                    statuses.append(faulty.http.post(url, data=form).status_code)
                except LOST:
                    statuses.append(0)
            with suppress(*LOST):
                faulty.http.post(f"/assistants/{assistant_id}/threads")
            assert time.monotonic() - began < 1.0, "too slow a machine for this test"
            assert set(statuses) == {0, 408, 503}
            assert sound.contents(thread_id) == []
            time.sleep(1.5)
            assert sorted(sound.contents(thread_id)) == sorted(f"Ada: {n}" for n in range(12))
            assert len(sound.get(f"/assistants/{assistant_id}/threads")) == 2


def test_a_late_request_is_not_done_once_the_server_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with running_standin(StandinSettings(), path) as sound, connect(sound) as client:
        thread_id = client.thread(client.assistant())
        late: dict[str, Any] = {"late_share": 1.0, "late_s": (0.3, 0.3), "late_statuses": (500,)}
        with standin_client(tmp_path, **late) as faulty:
            form = turn_form("Ada: x")
            answer = faulty.http.post(f"/threads/{thread_id}/messages", data=form)
            assert answer.status_code == 500
        time.sleep(0.6)
        assert client.contents(thread_id) == []


def test_refused_after_the_work_and_late_are_errors_in_the_judges_form(tmp_path: Path) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": CASE}]}
    headers = {"Authorization": f"Bearer {DEFAULT_KEY}"}
    for setting in ("refused_after_share", "late_share"):
        shares: dict[str, Any] = {setting: 1.0}
        settings = StandinSettings(**shares, late_statuses=(503,))
        with running_standin(settings, tmp_path / "state.sqlite") as urls:
            url = f"{urls.openai}/chat/completions"
            response = httpx.post(url, json=body, headers=headers)
        assert response.status_code >= 400
        assert set(response.json()) == {"error"}


def test_other_connections_outlive_a_lost_one(tmp_path: Path) -> None:
    with standin_client(tmp_path, lost_answer_share=0.3, seed=5) as client:
        outcomes = []
        for _ in range(60):
            try:
                outcomes.append(client.http.get("/assistants").status_code)
            except LOST:
                outcomes.append(0)
        assert set(outcomes) == {0, 200}
        assert 6 <= outcomes.count(0) <= 32


def test_the_same_seed_gives_the_same_faults(tmp_path: Path) -> None:
    def faults(folder: Path, seed: int) -> list[int]:
        folder.mkdir()
        with standin_client(
            folder, rate_limited_share=0.3, server_error_share=0.3, seed=seed
        ) as client:
            return [client.http.get("/assistants").status_code for _ in range(40)]

    first = faults(tmp_path / "1", 1)
    assert first == faults(tmp_path / "2", 1)
    assert first != faults(tmp_path / "3", 2)
    assert {200, 429} < set(first)


def test_a_cut_stream_has_no_end_and_the_answer_is_in_the_thread(tmp_path: Path) -> None:
    with standin_client(tmp_path, cut_stream_share=1.0) as client:
        assistant_id = client.assistant()
        client.turn(client.thread(assistant_id), "Ada: I keep bees. They fly. " + "Buzz! " * 40)
        ends = {"polite": 0, "broken": 0}
        for _ in range(20):
            thread_id = client.thread(assistant_id)
            try:
                events = client.ask(thread_id, "Who keeps bees?")
                ends["polite"] += 1
                kinds = [event["type"] for event in events]
                assert kinds[0] == "memory_retrieved"
                assert set(kinds[1:]) <= {"content_streaming"}
            except LOST:
                ends["broken"] += 1
            question, answer = client.contents(thread_id)
            assert question == "Who keeps bees?"
            assert "bees" in answer
        assert min(ends.values()) >= 3


def test_one_more_than_may_be_in_flight_is_refused(tmp_path: Path) -> None:
    with standin_client(tmp_path, max_in_flight=2, message_latency_ms=400.0) as client:
        thread_id = client.thread(client.assistant())
        statuses: list[int] = []

        def post() -> None:
            form = turn_form("Ada: x")
            statuses.append(
                client.http.post(f"/threads/{thread_id}/messages", data=form).status_code
            )

        posters = [threading.Thread(target=post) for _ in range(5)]
        for poster in posters:
            poster.start()
        for poster in posters:
            poster.join()
        assert sorted(statuses) == [200, 200, 429, 429, 429]
        assert len(client.contents(thread_id)) == 2
        post()
        assert statuses[-1] == 200


def test_a_refused_or_lost_request_is_not_in_flight_for_ever(tmp_path: Path) -> None:
    with standin_client(tmp_path, max_in_flight=1, lost_answer_share=0.5, seed=2) as client:
        outcomes = []
        for _ in range(30):
            try:
                outcomes.append(client.http.get("/assistants/none").status_code)
            except LOST:
                outcomes.append(0)
                # The client may see the end of the connection before the server is done with it.
                time.sleep(0.02)
        assert set(outcomes) == {0, 404}


def test_the_rate_is_kept(tmp_path: Path) -> None:
    with standin_client(tmp_path, requests_per_second=20.0) as client:
        began = time.monotonic()
        statuses = []
        while time.monotonic() - began < 1.0:
            statuses.append(client.http.get("/assistants").status_code)
            time.sleep(0.005)
        passed = statuses.count(200)
        # A burst of 20, then 20 in the second; the rest refused.
        assert 20 <= passed <= 42
        assert statuses.count(429) == len(statuses) - passed > 0


def test_latencies(tmp_path: Path) -> None:
    settings = {
        "message_latency_ms": 120.0,
        "first_chunk_latency_ms": 150.0,
        "chunk_latency_ms": 40.0,
        "other_latency_ms": 60.0,
    }
    with standin_client(tmp_path, **settings) as client:
        assistant_id = client.assistant()
        thread_id = client.thread(assistant_id)
        began = time.monotonic()
        client.turn(thread_id, "Ada: I keep bees that say " + "buzz " * 60)
        assert 0.12 <= time.monotonic() - began < 1.0

        began = time.monotonic()
        arrived = []
        form = question_form("Who keeps bees?")
        with client.http.stream("POST", f"/threads/{thread_id}/messages", data=form) as response:
            for chunk in response.iter_bytes():
                arrived += [(time.monotonic() - began, chunk)]
        content = [at for at, chunk in arrived if b"content_streaming" in chunk]
        assert content[0] >= 0.15
        assert arrived[0][0] < content[0]
        # It streams: the last piece comes a good while after the first.
        assert content[-1] - content[0] >= 0.04

        began = time.monotonic()
        client.get("/assistants")
        assert 0.06 <= time.monotonic() - began < 1.0


def test_the_same_seed_gives_the_same_draws() -> None:
    first, again, other = FaultInjector(7), FaultInjector(7), FaultInjector(8)
    drawn = [first.draw("cut") for _ in range(20)]
    assert drawn == [again.draw("cut") for _ in range(20)]
    assert drawn != [other.draw("cut") for _ in range(20)]


def test_kinds_of_faults_are_independent() -> None:
    alone, beside = FaultInjector(7), FaultInjector(7)
    expected = [alone.draw("cut") for _ in range(20)]
    got = []
    for _ in range(20):
        beside.draw("lost")
        got.append(beside.draw("cut"))
    assert got == expected


def test_a_share_is_reached_in_the_long_run() -> None:
    faults = FaultInjector(1)
    struck = sum(faults.occurs("lost", 0.2) for _ in range(5000))
    assert 0.18 < struck / 5000 < 0.22
    assert not any(faults.occurs("never", 0.0) for _ in range(100))
    assert all(faults.occurs("always", 1.0) for _ in range(100))
