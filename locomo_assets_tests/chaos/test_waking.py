"""A run that is stopped for longer than its lease, and wakes up while another is at its work."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from locomo_assets.history.errors import LeaseTakenError
from locomo_assets.history.lease import acquire, release
from locomo_assets.history.store import HistoryStore
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.chaos.place import until
from locomo_assets_tests.conftest import REPOSITORY
from locomo_assets_tests.history.factories import lineage
from locomo_assets_tests.runs.fixtures import DATASET, Record, assert_told_once

pytestmark = pytest.mark.waits

SAMPLE = DATASET.conversations[0]
TTL_S = 2.0

INGESTING = """
import asyncio, sys, time
from functools import partial
from locomo_assets.history.lease import leased
from locomo_assets.history.storage import LocalStorage
from locomo_assets.history.store import HistoryStore
from locomo_assets.runs import ingest
from locomo_assets.runs.context import Task
from locomo_assets.standin.server import BaseUrls
from locomo_assets_tests.runs.contexts import at_bench

history, url, run_id, conversation, ttl_s = sys.argv[1:]
for name in ("put", "put_new", "get", "list", "delete"):
    def slow(*args, _quick=getattr(LocalStorage, name)):
        time.sleep(0.05)
        return _quick(*args)
    setattr(LocalStorage, name, slow)
ingest.leased = partial(leased, ttl_s=float(ttl_s))

async def main():
    async with at_bench(HistoryStore.open(history), BaseUrls(url, url), run_id) as run:
        await ingest.ingest_conversation(run, Task(release="r1", conversation=conversation))

asyncio.run(main())
"""


def test_who_wakes_up_after_its_lease_sends_nothing_more(tmp_path: Path) -> None:
    history = (tmp_path / "history").as_uri()
    store = HistoryStore.open(history)
    store_dataset(store, DATASET, "run-0")
    record = Record(tmp_path / "served.sqlite")
    with running_standin(
        StandinSettings(message_latency_ms=50.0), tmp_path / "served.sqlite"
    ) as urls:

        def ingesting(run_id: str) -> "subprocess.Popen[str]":
            command = [sys.executable, "-c", INGESTING, history, urls.backboard, run_id]
            return subprocess.Popen(
                [*command, SAMPLE.conversation, str(TTL_S)],
                cwd=REPOSITORY,
                stderr=subprocess.PIPE,
                text=True,
            )

        with ingesting("stopped") as stopped:
            until(lambda: record.count() >= 3, stopped)
            stopped.send_signal(signal.SIGSTOP)
            told = record.count()
            _until_over(store)
            with ingesting("next") as following:
                until(lambda: record.count() >= told + 3, following)
                stopped.send_signal(signal.SIGCONT)
                _, errors = stopped.communicate(timeout=60)
                _, problems = following.communicate(timeout=60)
    assert "LeaseLostError: run stopped could not renew its lease in time, and run next" in errors
    assert following.returncode == 0, problems
    assert_told_once(record, SAMPLE)


def _until_over(store: HistoryStore) -> None:
    deadline = time.monotonic() + 2 * TTL_S
    look = lineage("ingested_memories", run_id="look", conversation=SAMPLE.conversation)
    while True:
        try:
            release(store.storage, acquire(store.storage, look))
        except LeaseTakenError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return
