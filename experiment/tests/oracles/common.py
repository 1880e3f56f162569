"""Writes common.csv: P(best) and expected loss once what moved all arms alike is taken out, apart from the Rust code.

    pip install -r requirements.txt && python3 common.py > common.csv

The model is that of src/belief/common.rs: of the T rewards under one allocation in one segment an arm of N exposures and
relative mean t has the part q = N t / sum N t. Here the likelihood, the product of q^S, is maximized over ln t by scipy
(Newton's method with a trust region and exact derivatives) instead of by Hunter's iteration, and the gradient must vanish.
What an arm has seen is worth (sum T q (1 - q))^2 / sum T q (1 - q)^2 rewards, at the rate that makes all arms together
have the rewards they had. An arm that has none of the rewards, or all, is taken as counted.

Beliefs are Beta(1 + rewards, 1 + misses); for values normal, with one exposure of the pooled mean beside the data and the
variance phi m - m^2. P(best) and expected loss are integrals by scipy's adaptive quadrature.

Each line: name; kind and direction of the metric; retired arms; cells as `cells.rs` reads them; then for each arm
P(best)/expected loss, nothing for a retired one. Takes two minutes.
"""

import math
import random

import numpy as np
from scipy import integrate, optimize, stats

from cells import Cell, evenly, written


def groups(cells, arms):
    """Exposures by arm, and rewards of all, of cells of one segment and equal shares."""
    found = {}
    for cell in cells:
        key = cell.segment, tuple(cell.shares[arm] for arm in arms)
        exposures, rewards = found.setdefault(key, (np.zeros(len(arms)), []))
        exposures += [cell.exposures[arm] for arm in arms]
        rewards.append(math.fsum(cell.rewards[arm] for arm in arms))
    return [(exposures, math.fsum(rewards)) for exposures, rewards in found.values() if math.fsum(rewards) > 0]


def parts(exposures, log_means):
    weights = exposures * np.exp(log_means - log_means.max())
    return weights / weights.sum()


def fitted(grouped, rewards):
    """ln t of the arms that have rewards, the first of them 0; -inf of others."""
    seen = np.flatnonzero(rewards > 0)

    def whole(free):
        log_means = np.full(len(rewards), -np.inf)
        log_means[seen] = np.concatenate([[0.0], free])
        return log_means

    def loss(free):
        log_means = whole(free)
        top = log_means.max()
        total = sum(t * (math.log(np.sum(n * np.exp(log_means - top))) + top) for n, t in grouped)
        return (total - np.dot(rewards[seen], log_means[seen])) / rewards.sum()

    def gradient(free):
        expected = sum(t * parts(n, whole(free)) for n, t in grouped)
        return (expected - rewards)[seen][1:] / rewards.sum()

    def hessian(free):
        total = 0
        for n, t in grouped:
            q = parts(n, whole(free))[seen][1:]
            total = total + t * (np.diag(q) - np.outer(q, q))
        return total / rewards.sum()

    start = np.zeros(len(seen) - 1)
    found = (
        optimize.minimize(loss, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-13})
        if len(start)
        else None
    )
    free = found.x if len(start) else start
    for _ in range(20):
        free = free - np.linalg.solve(hessian(free), gradient(free)) if len(free) else free
    assert np.all(np.abs(gradient(free)) < 1e-13), gradient(free)
    return whole(free)


def samples(cells, arms):
    """Exposures and rewards, by arm, that count for as much as what was seen."""
    exposures = np.array([math.fsum(cell.exposures[arm] for cell in cells) for arm in arms])
    rewards = np.array([math.fsum(cell.rewards[arm] for cell in cells) for arm in arms])
    grouped = groups(cells, arms)
    if not grouped:
        return exposures, rewards
    log_means = fitted(grouped, rewards)
    means = np.exp(log_means)
    means *= rewards.sum() / np.dot(exposures, means)
    for arm in range(len(arms)):
        if 0 < rewards[arm] < rewards.sum():
            q = [(t, parts(n, log_means)[arm]) for n, t in grouped]
            worth = sum(t * p * (1 - p) for t, p in q) ** 2 / sum(t * p * (1 - p) ** 2 for t, p in q)
            exposures[arm], rewards[arm] = worth / means[arm], worth
    return exposures, rewards


def beliefs(kind, cells, candidates, exposures, rewards):
    if kind == "binary":
        return [stats.beta(1 + s, 1 + n - s) for n, s in zip(exposures, rewards)]
    arms = range(len(cells[0].shares))
    sums = [[math.fsum(getattr(cell, what)[arm] for cell in cells) for arm in arms] for what in ("rewards", "squares")]
    phi = [max(sums[1][arm] / sums[0][arm] if sums[0][arm] else 0, sum(sums[1]) / sum(sums[0])) for arm in candidates]
    pooled = rewards.sum() / exposures.sum()
    means = (rewards + pooled) / (exposures + 1)
    return [stats.norm(m, math.sqrt(m * (p - m) / (n + 1))) for m, p, n in zip(means, phi, exposures)]


def best(distributions, direction):
    """P(best) and expected loss of each."""
    points = np.unique(
        [d.ppf(p) for d in distributions for p in (1e-12, 1e-6, 0.01, 0.2, 0.5, 0.8, 0.99, 1 - 1e-6, 1 - 1e-12)]
    )
    below = lambda d, x: d.cdf(x) if direction == "maximize" else d.sf(x)

    def integral(of):
        pieces = [
            integrate.quad(of, low, high, epsabs=1e-13, epsrel=1e-10, limit=200)[0]
            for low, high in zip(points, points[1:])
        ]
        return math.fsum(pieces)

    for one in distributions:
        others = [d for d in distributions if d is not one]
        chance = integral(lambda x: one.pdf(x) * math.prod(below(d, x) for d in others))
        # E[best] - E[one]: the integral of how much likelier the one is to be short of x than the best.
        loss = integral(lambda x: below(one, x) * (1 - math.prod(below(d, x) for d in others)))
        yield chance, loss


def drawn(state, listed, factors, kind="binary", rate=0.03):
    """Cells of (segment, size, shares) whose rate moves, for all arms alike."""
    cells = []
    for segment, size, shares in listed:
        moved = rate * math.exp(state.gauss(0, 0.7))
        exposures = [size * share // 1_000_000 for share in shares]
        counts = []
        for n, factor in zip(exposures, factors):
            p = min(0.95, moved * factor)
            counts.append(min(n, max(0, round(n * p + state.gauss(0, 1) * math.sqrt(n * p * (1 - p))))))
        if kind == "binary":
            cells.append(Cell(shares, exposures, counts, None, None, segment))
        else:
            rewards = [round(30 * count * math.exp(state.gauss(0, 0.1)), 2) for count in counts]
            squares = [round(70 * reward * math.exp(state.gauss(0, 0.1)), 2) for reward in rewards]
            cells.append(Cell(shares, exposures, rewards, squares, None, segment))
    return cells


def cases():
    """(name, kind, direction, retired arms, cells)"""
    state = random.Random(20261128)
    bandit = [
        evenly(4),
        [200_000, 400_000, 300_000, 100_000],
        [200_000, 700_000, 90_000, 10_000],
        [200_000, 780_000, 10_000, 10_000],
    ]
    turned = [[200_000, 700_000, 100_000], [200_000, 100_000, 700_000], [600_000, 200_000, 200_000]]
    for direction in ("maximize", "minimize"):
        for kind in ("binary", "value"):
            sized = [(0, int(10 ** state.uniform(3, 5)), shares) for shares in bandit]
            yield "shares follow rewards while rates move", kind, direction, [], drawn(
                state, sized, [1, 1.1, 1.05, 1], kind
            )
            listed = [(s, int(10 ** state.uniform(3, 5)), turned[(s + t) % 3]) for s in range(3) for t in range(3)]
            yield "segments of different shares", kind, direction, [], drawn(state, listed, [1, 1.03, 0.97], kind)
    two = [[500_000, 500_000], [100_000, 900_000], [950_000, 50_000]]
    for number in range(4):
        yield "two arms and a sale", "binary", "maximize", [], drawn(
            state, [(0, int(10 ** state.uniform(2, 6)), s) for s in two], [1, 1.08]
        )
    yield "rates near one", "binary", "maximize", [], drawn(state, [(0, 3_000, s) for s in two], [1, 1.02], rate=0.9)
    late = [
        [1_000_000, 0, 0, 0],
        [600_000, 400_000, 0, 0],
        [200_000, 790_000, 10_000, 0],
        [200_000, 0, 500_000, 300_000],
        [100_000, 0, 200_000, 700_000],
    ]
    for retired in ([], [1]):
        sized = [(0, 30_000, shares) for shares in late]
        yield "arms that come late and go", "binary", "maximize", retired, drawn(state, sized, [1, 1.2, 0.9, 1.1])
    yield "cells of equal shares", "binary", "maximize", [], drawn(state, [(0, 5_000, evenly(3))] * 4, [1, 1, 1.1])
    ten = [
        (0, 20_000, evenly(10)),
        (0, 50_000, [200_000] + [10_000] * 7 + [300_000, 430_000]),
        (0, 50_000, [200_000] + [10_000] * 7 + [600_000, 130_000]),
    ]
    yield "ten arms", "binary", "maximize", [], drawn(state, ten, [0.8 + 0.05 * k for k in range(10)])
    yield "few rewards", "binary", "maximize", [], [
        Cell([500_000, 500_000], [40, 41], [0, 1]),
        Cell([200_000, 800_000], [30, 119], [1, 4]),
        Cell([100_000, 900_000], [7, 60], [0, 0]),
    ]
    yield "an arm without a reward", "binary", "maximize", [], [
        Cell(evenly(3), [400, 410, 390], [9, 0, 12]),
        Cell([200_000, 300_000, 500_000], [210, 290, 480], [6, 0, 20]),
    ]
    yield "rewards of one arm only", "binary", "maximize", [], [
        Cell([500_000, 500_000], [400, 410], [9, 0]),
        Cell([200_000, 800_000], [210, 790], [6, 0]),
    ]
    yield "arms that hardly ever met", "binary", "maximize", [], [
        Cell([950_000, 50_000, 0], [95_000, 5_000, 0], [1_900, 125, 0]),
        Cell([50_000, 900_000, 50_000], [5_000, 90_000, 5_000], [150, 2_700, 170]),
        Cell([10_000, 40_000, 950_000], [1_000, 4_000, 95_000], [20, 90, 2_000]),
    ]
    yield "two arms that met at one in a thousand", "binary", "maximize", [], [
        Cell([999_000, 1_000], [999_000, 1_000], [20_000, 23]),
        Cell([1_000, 999_000], [1_000, 999_000], [40, 39_000]),
    ]
    yield "three arms that met at one in a hundred", "binary", "maximize", [], [
        Cell([990_000, 10_000, 0], [99_000, 1_000, 0], [2_000, 25, 0]),
        Cell([10_000, 980_000, 10_000], [1_000, 98_000, 1_000], [30, 3_000, 35]),
        Cell([1_000, 9_000, 990_000], [100, 900, 99_000], [2, 20, 2_100]),
    ]


def main():
    for name, kind, direction, retired, cells in cases():
        candidates = [arm for arm in range(len(cells[0].shares)) if arm not in retired]
        exposures, rewards = samples(cells, candidates)
        found = dict(zip(candidates, best(beliefs(kind, cells, candidates, exposures, rewards), direction)))
        assert abs(sum(chance for chance, _ in found.values()) - 1) < 1e-8, (name, found)
        listed = [
            f"{found[arm][0]:.10e}/{found[arm][1]:.10e}" if arm in found else "" for arm in range(len(cells[0].shares))
        ]
        print(";".join([name, kind, direction, ",".join(map(str, retired)), written(cells)] + listed), flush=True)


if __name__ == "__main__":
    main()
