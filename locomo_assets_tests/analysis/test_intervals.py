"""Intervals against statsmodels, by hand, and by how often they hold the truth."""

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from locomo_assets.analysis.intervals import Cluster, clustered_mean, degrees_of_freedom

# questions of categories 1-4 in the ten conversations
SIZES = (152, 81, 152, 199, 178, 123, 150, 191, 156, 158)


def test_equal_clusters_are_statsmodels_cluster_covariance() -> None:
    """With equal sizes CR2 is CR1, which statsmodels has."""
    dice = np.random.default_rng(5)
    values = dice.integers(0, 2, size=(8, 12))
    groups = np.repeat(np.arange(8), 12)
    fit = OLS(values.ravel(), np.ones(96)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    # statsmodels' CR1 also has (N - 1) / (N - k), which is 1 for a mean
    found = clustered_mean([Cluster(12, int(row.sum())) for row in values])
    assert found.mean == pytest.approx(values.mean())
    assert found.standard_error == pytest.approx(float(fit.bse[0]))
    assert found.interval == pytest.approx(tuple(fit.conf_int()[0]))


def test_unequal_clusters_by_hand() -> None:
    # mean 4/6; residual sums 1 - 2·(2/3) = -1/3 and 3 - 4·(2/3) = 1/3; leverages 1/3 and 2/3:
    # variance (1/9 / (2/3) + 1/9 / (1/3)) / 36 = 1/72
    found = clustered_mean([Cluster(2, 1), Cluster(4, 3)])
    assert found.standard_error == pytest.approx((1 / 72) ** 0.5)
    assert found.interval == (0.0, 1.0)  # t with one degree of freedom reaches beyond both


def test_degrees_of_freedom_are_those_of_the_whole_matrix() -> None:
    """Bell and McCaffrey's definition over all values, which the closed form spares."""
    groups = np.repeat(np.arange(len(SIZES)), SIZES)
    total = len(groups)
    residuals = np.eye(total) - 1 / total
    columns = []
    for number, size in enumerate(SIZES):
        member = groups == number
        adjusted = np.where(member, 1 / (total * np.sqrt(1 - size / total)), 0.0)
        columns.append(residuals @ adjusted)
    eigenvalues = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    expected = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    assert degrees_of_freedom(SIZES) == pytest.approx(expected)
    assert 8 < expected < 9  # ten conversations, of unequal size
    assert degrees_of_freedom([7] * 10) == pytest.approx(9)


@pytest.mark.parametrize(
    ("clusters", "mean", "why"),
    [
        ([], None, "nothing was scored"),
        ([Cluster(0, 0)], None, "nothing was scored"),
        ([Cluster(4, 3), Cluster(0, 0)], 0.75, "one conversation only"),
        ([Cluster(3, 3), Cluster(5, 5)], 1.0, "same mean"),
        ([Cluster(3, 1), Cluster(9, 3)], 1 / 3, "same mean"),
    ],
)
def test_what_can_not_be_had_says_why(
    clusters: list[Cluster], mean: float | None, why: str
) -> None:
    found = clustered_mean(clusters)
    assert (found.mean, found.standard_error, found.interval) == (mean, None, None)
    assert why in str(found.why_none)


def test_clustered_interval_holds_the_truth_95_times_in_100_where_wilson_does_not() -> None:
    dice = np.random.default_rng(11)
    tries, truth, clustered, independent = 1000, 0.7, 0, 0
    for _ in range(tries):
        rates = np.clip(dice.normal(truth, 0.08, len(SIZES)), 0, 1)
        correct = dice.binomial(SIZES, rates)
        found = clustered_mean([Cluster(n, int(k)) for n, k in zip(SIZES, correct, strict=True)])
        low, high = proportion_confint(int(correct.sum()), sum(SIZES), method="wilson")
        assert found.interval
        clustered += found.interval.low <= truth <= found.interval.high
        independent += low <= truth <= high
    assert 0.93 <= clustered / tries <= 0.97
    assert independent / tries < 0.75


def test_the_normal_quantile_would_be_too_narrow() -> None:
    """Why t: with three clusters the normal's interval misses the truth far too often."""
    dice = np.random.default_rng(3)
    with_t = with_normal = 0
    for _ in range(1000):
        means = dice.normal(0.5, 0.05, 3)
        found = clustered_mean([Cluster(1000, round(1000 * m)) for m in means])
        if found.mean is None or found.standard_error is None:
            continue
        off = abs(found.mean - 0.5) / found.standard_error
        with_t += off <= t.ppf(0.975, 2)
        with_normal += off <= 1.96
    assert with_t > 930
    assert with_normal < 870
