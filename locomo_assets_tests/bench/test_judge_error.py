"""The simulation of a judge that errs, in small and with wide margins."""

from bench.simulations.judge_error import simulate


def test_the_correction_is_unbiased_and_its_interval_covers() -> None:
    found = simulate(0.8, (0.95, 0.3), (320, 80), times=150)
    assert found.raw_bias > 0.01  # .95 × .8 + .3 × .2 = .82
    assert abs(found.corrected_bias) < 0.01
    assert found.raw_coverage < 0.9
    assert found.corrected_coverage > 0.88
    assert found.none == 0
