"""The measurement of the diagnosis: its counting, and the whole of it on a sample conversation."""

from bench.simulations.diagnosis import Outcome, Tally, Truth, simulate
from locomo_assets_tests.runs.fixtures import DATASET


def test_links_and_stages_are_counted_as_true_found_and_right() -> None:
    outcome = Outcome()
    truth = Truth(
        {("m1", "D1:1"), ("m2", "D1:2")}, {0: "retrieved", 1: "never_stored", 2: "retrieved"}
    )
    stages = {0: "retrieved", 1: "not_retrieved", 2: "unknown", 3: "retrieved"}
    outcome.add(truth, {("m1", "D1:1"), ("m1", "D1:3")}, stages)
    assert outcome.links == Tally(true=2, found=2, right=1)
    assert outcome.stages == {
        "never_stored": Tally(true=1, found=0, right=0),
        "not_retrieved": Tally(true=0, found=1, right=0),
        "retrieved": Tally(true=2, found=1, right=1),
    }
    assert (outcome.questions, outcome.unknown) == (3, 1)
    assert outcome.links.cells() == ["2", "0.500", "0.500"]
    assert outcome.stages["not_retrieved"].cells() == ["1", "0.000", "–"]


def test_by_operations_the_stages_are_those_of_the_stand_in_s_state() -> None:
    """What failed operations would have kept is never stored, and nothing else is mistaken."""
    sample = DATASET.conversations[0].conversation
    found = simulate(DATASET, [sample], "extracted", failed=0.3, stuck=0.0)
    assert found.links.right == found.links.found > 0
    lost = found.stages["never_stored"]
    assert lost.right == lost.true > 0
    assert found.unknown == 0
