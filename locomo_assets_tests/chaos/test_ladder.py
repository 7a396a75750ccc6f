"""A ladder killed (SIGKILL) in its base and in a later step: nothing is paid for twice."""

import time
from pathlib import Path

from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.chaos.place import CANARIES, Kill, Place, served, until
from locomo_assets_tests.chaos.small_dataset import small_dataset
from locomo_assets_tests.runs.fixtures import assert_told_once

LADDER = """
name = "mine"
[base]
memory_wait = "conversation"
[[step]]
name = "thinks"
thinking = "high"
[[step]]
name = "strict"
judge_prompt = "strict"
"""
# Without faults, so that every repeated request is the kill's; slow enough to be killed in.
SLOW = StandinSettings(
    message_latency_ms=10.0,
    first_chunk_latency_ms=250.0,
    verdict_latency_ms=50.0,
)


def test_a_killed_ladder_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(LADDER)
    dataset = small_dataset(tmp_path)
    with served(tmp_path, dataset, settings=SLOW) as place:
        command = ("ladder", str(path), "--release", "r1")
        kills = [
            _killed(place, command, "turns", place.turns // 2),
            _killed(place, command, "answers", place.questions + 2),
        ]
        with place.running(command=command) as process:
            _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors

        for conversation in dataset.conversations:
            assert_told_once(place.record, conversation)
        assert place.query("SELECT count(*) FROM ladder_steps") == 3
        wanted = {"answer": 2 * place.questions, "verdict": 3 * place.questions + 2 * CANARIES}
        done, spare = place.done(), place.may_be_repeated(kills)
        assert wanted["answer"] <= done.answers
        assert done.answers - wanted["answer"] <= spare["questions asked at the server"]
        # Each judge is given one trivial case at first; after a kill perhaps again.
        learned = 2 + len(kills)
        assert done.verdicts - wanted["verdict"] <= spare["verdicts given at the server"] + learned
        with place.running(command=command) as process:
            assert process.wait(timeout=120) == 0
        assert place.done() == done


def _killed(place: Place, command: tuple[str, ...], stage: str, goal: int) -> Kill:
    """Kills the command once the server has done so much of a stage."""
    with place.running(command=command) as process:
        until(lambda: int(getattr(place.done(), stage)) >= goal, process)
        process.kill()
        return Kill(stage, time.time(), place.done())
