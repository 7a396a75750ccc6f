"""The price table."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from locomo_assets.prices import PriceError, PriceTable


def test_the_packaged_table_prices_a_verdict() -> None:
    table = PriceTable.read()
    assert table.cost_usd("gpt-4.1", 1_000_000, 500_000) == pytest.approx(6.0)
    assert table.cost_usd("gpt-4.1-mini", 1000, 0) == pytest.approx(0.0004)
    assert isinstance(table.as_of, date)
    assert all(price[0] < price[1] for price in table.usd_per_million_tokens.values())


def test_a_batch_costs_half_and_without_a_factor_nobody_knows() -> None:
    table = PriceTable.read()
    assert table.cost_usd("gpt-4.1", 1_000_000, 500_000, batch=True) == pytest.approx(3.0)
    assert replace(table, batch_factor=None).cost_usd("gpt-4.1", 1, 1, batch=True) is None
    assert replace(table, batch_factor=None).cost_usd("standin:x", 1, 1, batch=True) == 0.0


def test_an_unknown_model_has_no_cost_and_our_own_are_free() -> None:
    table = PriceTable.read()
    assert table.cost_usd("gpt-99", 10, 10) is None
    assert table.cost_usd("", 10, 10) is None
    assert table.cost_usd("lexical-2", 10, 10) == 0.0
    assert table.cost_usd("standin:gpt-4.1", 10, 10) == 0.0


def test_a_table_of_ones_own_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(
        "as_of = 2026-01-01\n[usd_per_million_tokens]\nmine = {input = 1, output = 2.5}\n"
    )
    table = PriceTable.read(path)
    assert table.as_of == date(2026, 1, 1)
    assert table.cost_usd("mine", 2_000_000, 1_000_000) == pytest.approx(4.5)
    assert table.cost_usd("gpt-4.1", 1, 1) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("as_of = ", "is not TOML"),
        ("as_of = " + "[" * 100_000, "is not TOML"),
        ("as_of = 2026-01-01", "usd_per_million_tokens: Field required"),
        ("[usd_per_million_tokens]", "as_of: Field required"),
        (
            "as_of = 2026-01-01\n[usd_per_million_tokens]\nm = {input = -1, output = 1}",
            "usd_per_million_tokens.m.input",
        ),
        (
            "as_of = 2026-01-01\n[usd_per_million_tokens]\nm = {input = nan, output = 1}",
            "usd_per_million_tokens.m.input",
        ),
        ("as_of = 2026-01-01\n[usd_per_million_tokens]\nm = {input = 1}", "m.output"),
        ("as_of = 2026-01-01\nbatch_factor = 2\n[usd_per_million_tokens]", "batch_factor"),
        ("as_of = 2026-01-01\nother = 1\n[usd_per_million_tokens]", "other"),
    ],
)
def test_a_faulty_table_ends_with_one_line(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(PriceError) as caught:
        PriceTable.read(path)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="No such file"):
        PriceTable.read(tmp_path / "none.toml")
