"""Writes posterior.csv: P(best) and expected loss of Beta posteriors, computed apart from the Rust code.

    pip install numpy scipy mpmath && python3 posterior.py > posterior.csv

Distribution functions are scipy's regularized incomplete beta function (within 4e-13 of mpmath), not integrals of the
density; densities are in 80-bit floating point with ln B from mpmath at 50 digits; the axis is the rate itself, cut at
quantiles of every arm, 24 Gauss-Legendre nodes a panel. The expected loss is the integral of F_k - prod F_j, which
involves no density at all. Where rates are near 1 the axis is 1 - rate, in which floating point is fine. Each line: a name, then for each arm exposures:rewards:p_best:expected_loss.
"""

import mpmath
import numpy as np
from scipy import special, stats

mpmath.mp.dps = 50
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
TAILS = np.concatenate([10.0 ** np.arange(-14, -1), np.linspace(0.02, 0.98, 49)])


def panels(a, b):
    """Points of the axis between which every posterior is smooth."""
    points = [np.array([0.0, 1.0])]
    for one, other in zip(a, b):
        points.append(stats.beta.ppf(TAILS, one, other))
        points.append(1.0 - stats.beta.ppf(TAILS, other, one))
    points = np.unique(np.clip(np.concatenate(points), 0.0, 1.0))
    return points[np.isfinite(points)]


def density(x, one, other):
    """f(x) in 80-bit floating point."""
    a, b = mpmath.mpf(int(one)), mpmath.mpf(int(other))
    log_beta = np.longdouble(mpmath.nstr(mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b), 40))
    x = np.longdouble(x)
    log = np.longdouble(one - 1) * np.log(x) + np.longdouble(other - 1) * np.log1p(-x) - log_beta
    return np.asarray(np.exp(log), dtype=float)


def best(arms):
    """P(best) and expected loss of each arm, from exposures and rewards."""
    a = np.array([1.0 + s for _, s in arms])
    b = np.array([1.0 + n - s for n, s in arms])
    mirrored = np.max(a / (a + b)) > 0.5
    if mirrored:
        a, b = b, a
    points = panels(a, b)
    half = np.diff(points) / 2
    x = ((points[1:] + points[:-1]) / 2)[:, None] + half[:, None] * NODES[None, :]
    weight = (half[:, None] * WEIGHTS[None, :]).ravel()
    x = np.clip(x.ravel(), 1e-300, 1 - 1e-16)
    tail = special.betaincc if mirrored else special.betainc
    below = np.array([tail(one, other, x) for one, other in zip(a, b)])
    chances, losses = [], []
    product = np.prod(below, axis=0)
    for k in range(len(arms)):
        others = np.prod(np.delete(below, k, axis=0), axis=0)
        chances.append(float(np.sum(weight * density(x, a[k], b[k]) * others)))
        losses.append(float(np.sum(weight * (below[k] - product))))
    assert abs(sum(chances) - 1) < 1e-9, (arms, sum(chances))
    return chances, losses


CASES = {
    "golden of the literature": [(10_000, 200), (10_000, 240)],
    "no data": [(0, 0), (0, 0)],
    "data against none": [(1_000, 20), (0, 0)],
    "a billion against none": [(1_000_000_000, 20_000_000), (0, 0)],
    "a billion each, three deviations apart": [(10**9, 20_000_000), (10**9, 20_019_000)],
    "a billion each at one half": [(10**9, 500_000_000), (10**9, 500_030_000), (10**9, 500_010_000)],
    "a billion each at one in a million": [(10**9, 1_000), (10**9, 1_040), (10**9, 980)],
    "a billion without a reward": [(10**9, 0), (10**9, 1), (10**6, 0)],
    "always rewarded": [(1_000, 1_000), (1_000, 999), (10, 10)],
    "a billion always rewarded": [(10**9, 10**9), (10**9, 10**9 - 2), (10**6, 10**6)],
    "rates far apart": [(10**6, 1), (10**6, 1_000), (10**6, 900_000), (5, 4)],
    "every scale of data": [(10**k, 3 * 10**k // 10) for k in range(1, 10)],
    "every scale of rate": [(10**7, max(10, 10**k)) for k in range(1, 8)],
    "narrow below wide": [(10**8, 3_000_000), (50, 1), (200, 6), (10**5, 3_050)],
    "narrow above wide": [(10**8, 4_000_000), (50, 1), (200, 6), (10**5, 3_050)],
    "a start-up": [(100, 2), (100, 4), (97, 0), (103, 3), (0, 0), (110, 1)],
    "ten arms, 1 % to 3 %": [(5_000, 50 + 11 * k) for k in range(10)],
    "ten equal arms": [(20_000, 400)] * 10,
    "a starved control": [(300, 5), (40_000, 900), (900, 14), (1_200, 22), (38_000, 850)],
    "hundred arms without data": [(0, 0)] * 100,
    "hundred equal arms": [(10_000, 200)] * 100,
    "hundred arms in a row": [(10_000, 150 + k) for k in range(100)],
    "hundred arms of every size": [(10 ** (1 + k % 9), 2 * 10 ** (1 + k % 9) // 10 + k % 3) for k in range(100)],
}


def main():
    rng = np.random.default_rng(20261123)
    for number in range(24):
        arms = []
        rate = 10 ** rng.uniform(-6, 0)
        for _ in range(int(rng.integers(2, 13))):
            n = int(10 ** rng.uniform(0, 9))
            arms.append((n, int(rng.binomial(n, min(1.0, rate * np.exp(rng.normal(0, 0.3)))))))
        CASES[f"drawn {number}"] = arms
    for name, arms in CASES.items():
        chances, losses = best(arms)
        fields = [f"{n}:{s}:{p:.12e}:{loss:.12e}" for (n, s), p, loss in zip(arms, chances, losses)]
        print(";".join([name] + fields))


main()
