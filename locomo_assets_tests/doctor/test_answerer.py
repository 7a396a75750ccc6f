"""The doctor's look at an answering model of one's own, where the question protocol asks one."""

import pytest

from locomo_assets.doctor import Diagnosis, checked
from locomo_assets.doctor.services import check_services, proof_cost
from locomo_assets.settings import read_settings
from locomo_assets_tests.doctor.test_doctor import by_subject
from locomo_assets_tests.judging.scripted import KEY, completion, failing, scripted_server


def found(*, prove: bool = False) -> dict[str, Diagnosis]:
    settings = read_settings()
    return by_subject(checked("it", lambda: check_services(settings, prove=prove)))


def test_only_the_protocol_with_an_answerer_has_one(
    home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "answerer" not in found()
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "retrieval")
    assert "packaged stand-in" in found()["answerer"].found


def test_key_and_url_are_looked_at_and_proven(
    home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server() as server:
        server.verdicts = [completion("In Lisbon.")]
        monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "retrieval")
        monkeypatch.setenv("LOCOMO_ANSWER_API_KEY", KEY)
        monkeypatch.setenv("LOCOMO_ANSWER_BASE_URL", server.base_url)
        looked = found()["answerer"].found
        assert "gpt-4.1-mini of 127.0.0.1, prompt plain@" in looked
        assert looked.endswith("key not proven")
        assert not server.bodies
        assert "one answer by gpt-4.1-mini (about 0.000" in proof_cost(read_settings())
        assert "it answered from a memory for 0.0001 USD" in found(prove=True)["answerer"].found
        assert len(server.bodies) == 1
        server.probe = failing(401)
        assert "check LOCOMO_ANSWER_API_KEY" in str(found()["answerer"])
