"""What costs nothing is 0.00, not unknown: nothing to do, or done by what is free."""

import pytest

from locomo_assets.prices import STANDIN, ModelPrice, PriceTable
from locomo_assets.runs import forecast
from locomo_assets_tests.runs.fixtures import DATASET

UNPRICED = ModelPrice(PriceTable.read(None), "a-model-without-a-price")
FREE = ModelPrice(PriceTable.read(None), STANDIN)


@pytest.mark.parametrize(
    "item",
    [
        forecast.ingestion([], forecast.ASSUMED_TURN, free=False),
        forecast.questions([], forecast.ASSUMED_ANSWER, UNPRICED, width=4),
        forecast.questions([0, 0], forecast.ASSUMED_ANSWER, UNPRICED, width=4),
        forecast.verdicts(0, forecast.ASSUMED_VERDICT, UNPRICED, width=4),
    ],
)
def test_nothing_left_to_do_costs_nothing(item: forecast.Item) -> None:
    assert (item.calls, item.cost_usd) == (0, 0.0)


def test_what_is_free_costs_nothing_and_what_has_no_price_is_unknown() -> None:
    turns = DATASET.conversations
    assert forecast.ingestion(turns, forecast.ASSUMED_TURN, free=True).cost_usd == 0.0
    assert forecast.ingestion(turns, forecast.ASSUMED_TURN, free=False).cost_usd is None
    asked = (forecast.ASSUMED_ANSWER, [3, 4])
    assert forecast.questions(asked[1], asked[0], FREE, width=4).cost_usd == 0.0
    assert forecast.questions(asked[1], asked[0], UNPRICED, width=4).cost_usd is None
