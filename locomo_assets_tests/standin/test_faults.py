"""Dice: as seeded, independent of each other, and near their share."""

from locomo_assets.standin.middleware import Dice


def test_one_seed_gives_one_sequence() -> None:
    first, again, other = Dice(7), Dice(7), Dice(8)
    drawn = [first.draw("cut") for _ in range(20)]
    assert drawn == [again.draw("cut") for _ in range(20)]
    assert drawn != [other.draw("cut") for _ in range(20)]


def test_kinds_do_not_disturb_each_other() -> None:
    alone, beside = Dice(7), Dice(7)
    expected = [alone.draw("cut") for _ in range(20)]
    got = []
    for _ in range(20):
        beside.draw("lost")
        got.append(beside.draw("cut"))
    assert got == expected


def test_a_share_is_kept_in_the_long_run() -> None:
    dice = Dice(1)
    struck = sum(dice.hit("lost", 0.2) for _ in range(5000))
    assert 0.18 < struck / 5000 < 0.22
    assert not any(dice.hit("never", 0.0) for _ in range(100))
    assert all(dice.hit("always", 1.0) for _ in range(100))
