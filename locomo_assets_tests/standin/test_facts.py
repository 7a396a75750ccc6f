"""What is remembered of a message as facts, and over a socket what its operation says of them."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.standin.facts import Fact, extract, restated
from locomo_assets_tests.standin.client import StandinClient, standin_client

DAY = date(2023, 5, 25)


def facts(content: str) -> list[str]:
    return [fact.text for fact in extract(content, DAY)]


@pytest.mark.parametrize(
    "content",
    [
        "Jo: Hey Mel! Good to see you! How have you been?",
        "Jo: Thanks, Mel! Your kind words mean a lot.",
        "Jo: I totally agree.",
        "Jo: You'd be a great counselor! Your empathy will help the people you meet.",
        "What does Jo keep?",
    ],
)
def test_greetings_thanks_questions_and_talk_about_the_listener_are_left_out(content: str) -> None:
    assert facts(content) == []


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ("Jo: I've kept bees since 2019.", "Jo has kept bees since 2019."),
        ("Jo: Yeah, I really love my garden!", "Jo really loves Jo's garden."),
        ("Jo: My sister and I don't eat meat.", "Jo's sister and Jo doesn't eat meat."),
        ("Jo: We played chess yesterday.", "Jo and others played chess on 24 May 2023."),
        ("Jo: I painted that lake last year.", "Jo painted that lake in 2022."),
        ("Jo: I moved here three years ago.", "Jo moved here in 2020."),
        ("Jo: I'll sail in 2 weeks.", "Jo will sail two weeks after 25 May 2023."),
        ("Jo: I’m a nurse at the hospital.", "Jo is a nurse at the hospital."),
        ("I keep bees on my roof.", "User keeps bees on User's roof."),
    ],
)
def test_a_sentence_is_about_its_speaker_with_its_date(content: str, fact: str) -> None:
    assert facts(content) == [fact]


def test_a_message_becomes_as_many_facts_as_it_states_and_its_image() -> None:
    text = (
        "Mel: Wow, Jo! I ran a race last Saturday – it was fun. My kids cheered loudly. And you? "
        "[Sharing image - query: race. The image shows: a photo of a medal]"
    )
    assert facts(text) == [
        "Mel ran a race on 20 May 2023 (the Saturday before 25 May 2023).",
        "Mel's kids cheered loudly.",
        "Mel shared a photo of a medal.",
    ]


def test_a_restated_fact_is_known_by_its_words_and_images_only_by_all_of_them() -> None:
    known = [("m1", "Jo shared a photo of two dogs on a beach."), ("m2", "Jo keeps ten bees.")]
    assert restated(Fact("Jo", "Jo keeps bees."), known) == ("m2", False)
    assert restated(Fact("Jo", "Jo still keeps ten lazy bees."), known) == ("m2", True)
    assert restated(Fact("Jo", "Jo sold the bees to a friend."), known) is None
    image = Fact("Jo", "Jo shared a photo of two cats on a beach.", is_image=True)
    assert restated(image, known) is None


def _told(client: StandinClient, thread_id: str, content: str) -> Any:
    saved = client.turn(thread_id, content)
    return client.get(f"/assistants/memories/operations/{saved['memory_operation_id']}")


def test_operations_tell_what_became_of_each_fact(tmp_path: Path) -> None:
    with standin_client(tmp_path, memory_form="extracted") as client:
        assistant = client.assistant()
        thread = client.thread(assistant)
        first = _told(client, thread, "Jo: I keep ten bees. My roof is green.")
        bees, roof = first["memory_ids"]
        again = _told(client, thread, "Jo: I keep ten lazy bees. My roof is green.")
        assert again["memory_ids"] == [
            {"id": bees, "event": "UPDATE", "memory": "Jo keeps ten lazy bees."},
            {"id": roof, "event": "NONE", "memory": "Jo's roof is green."},
        ]
        other = _told(client, thread, "Mel: I keep ten bees.")
        assert other["memory_ids"] not in ([], [bees])
        nothing = _told(client, thread, "Jo: How are you?")
        assert (nothing["status"], nothing["memory_ids"]) == ("COMPLETED", [])
        memories = client.get(f"/assistants/{assistant}/memories")["memories"]
        assert [one["content"] for one in memories] == [
            "Jo keeps ten lazy bees.",
            "Jo's roof is green.",
            "Mel keeps ten bees.",
        ]
        found = client.post(f"/assistants/{assistant}/memories/search", query="lazy")["memories"]
        assert [one["id"] for one in found] == [bees]


def test_operations_may_name_no_memories(tmp_path: Path) -> None:
    with standin_client(tmp_path, operations_without_ids=True) as client:
        assistant = client.assistant()
        told = _told(client, client.thread(assistant), "Jo: I keep ten bees.")
        assert (told["status"], told["memory_ids"]) == ("COMPLETED", [])
        assert client.get(f"/assistants/{assistant}/memories")["total_count"] == 1
