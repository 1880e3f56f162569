"""Writes values.csv: the any-time test of values, and the evidence against a worthwhile lift, apart from the Rust code.

    pip install -r requirements.txt && python3 values.py > values.csv

Values are in mpmath at 40 digits from the definitions at the top of src/anytime/values.rs. That E is what it says is held
against the integral over lambda of exp(lambda D - lambda^2 V/2) with the normal density of lambda; limits of the lift are
found by bisection on a grid that would show a second crossing; the shrunken lift is a ratio of two integrals over the
prior. For rates the evidence against a worthwhile lift is the sum over the 128 points of src/anytime/mixture.rs of
likelihoods as rate_ratio.py computes them.

Each line: name; kind and direction of the metric; confidence; worthwhile lift; cells as `cells.rs` reads them; for arm 1:
ln E, lower and upper lift, shrunken lift, and ln E against the worthwhile lift. Takes two minutes.
"""

import math
import random

from mpmath import diff, erfc, exp, expm1, fabs, inf, log, log1p, mp, mpf, nstr, pi, quad, sqrt

import rate_ratio
from cells import Cell, pairs, written

mp.dps = 40
DENSITIES = [("0.02", "0.1"), ("0.1", "0.3"), ("0.2", "0.3"), ("0.4", "0.3")]
TYPICAL = [("0.1", "0.99"), ("0.5", "0.01")]
BURN_IN, FARTHEST = 30, 5


class Arm:
    """Sums of one arm in one cell, or over cells."""

    def __init__(self, exposures, rewards, squares):
        self.n, self.s, self.q = mpf(exposures), mpf(rewards), mpf(squares)

    def divided(self, factor):
        return Arm(self.n, self.s / factor, self.q / factor**2)

    def squares_around(self, m):
        return self.q - 2 * m * self.s + m * m * self.n


def total(arms):
    arms = list(arms)
    return Arm(sum(arm.n for arm in arms), sum(arm.s for arm in arms), sum(arm.q for arm in arms))


class Ratio:
    """What is known about the mean of `one` over that of `other`, both in cells where both had a share."""

    def __init__(self, cells, arm, direction):
        one, other = (arm, 0) if direction == "maximize" else (0, arm)
        self.cells = [
            (
                mpf(c.shares[one]) / (c.shares[one] + c.shares[other]),
                *(Arm(c.exposures[i], c.rewards[i], c.squares[i]) for i in (one, other)),
            )
            for c in cells
            if c.shares[one] > 0 and c.shares[other] > 0
        ]
        sums = [total(one for _, one, _ in self.cells), total(other for _, _, other in self.cells)]
        self.burnt_in = all(arm.q > 0 and arm.s**2 / arm.q >= BURN_IN for arm in sums)

    def score(self, x):
        """D, V and phi - m at the log ratio x."""
        theta = exp(x)
        cells = [(share, one.divided(theta), other) for share, one, other in self.cells]
        both = total(arm for _, one, other in cells for arm in (one, other))
        m = both.s / both.n
        difference = sum((1 - p) * (one.s - m * one.n) - p * (other.s - m * other.n) for p, one, other in cells)
        alike = sum(p * (1 - p) * (one.squares_around(m) + other.squares_around(m)) for p, one, other in cells)
        realized = sum((1 - p) ** 2 * one.squares_around(m) + p**2 * other.squares_around(m) for p, one, other in cells)
        return difference, max(alike, realized), both.q / both.s - m

    def log_e(self, x):
        d, v, scale = self.score(x)
        value = mpf(0)
        for sd, part in DENSITIES:
            s = mpf(sd) / scale
            value += mpf(part) / sqrt(1 + s * s * v) * exp(s * s * d * d / (2 * (1 + s * s * v)))
        return log(value)

    def log_e_below(self, border):
        d, v, scale = self.score(border)
        value = mpf(0)
        for part in (mpf("0.5"), 1, 2):
            s = part * border / scale
            root = sqrt(1 + s * s * v)
            z = s * d / root
            value += erfc(z / sqrt(2)) * exp(z * z / 2) / root / 3
        return log(value)

    def estimate(self):
        low, high = mpf(-FARTHEST), mpf(FARTHEST)
        for _ in range(130):
            middle = (low + high) / 2
            low, high = (middle, high) if self.score(middle)[0] > 0 else (low, middle)
        return low


def tilted(d, v, s, low, high):
    """The integral of exp(lambda d - lambda^2 v/2) over lambda, normal around 0 with standard deviation s."""
    center, width = s * s * d / (1 + s * s * v), s / sqrt(1 + s * s * v)
    points = sorted({min(max(center + k * width, low), high) for k in range(-40, 41, 4)} | {low, high})
    points = [x for x in points if x <= high and x >= low]
    density = lambda x: exp(x * d - x * x * v / 2 - (x / s) ** 2 / 2) / (s * sqrt(2 * pi))
    return quad(density, points)


def holds_what_it_says(ratio, border):
    """E and its one-sided form against integrals over lambda."""
    with mp.workdps(20):
        d, v, scale = ratio.score(mpf(0))
        both = sum(
            mpf(part) * tilted(d, v, mpf(sd) / scale, -60 * mpf(sd) / scale, 60 * mpf(sd) / scale)
            for sd, part in DENSITIES
        )
        assert fabs(log(both) - ratio.log_e(mpf(0))) < mpf(10) ** -10, (log(both), ratio.log_e(mpf(0)))
        d, v, scale = ratio.score(border)
        parts = [part * border / scale for part in (mpf("0.5"), mpf(1), mpf(2))]
        below = sum(2 * tilted(d, v, s, -60 * s, mpf(0)) for s in parts) / 3
        assert fabs(log(below) - ratio.log_e_below(border)) < mpf(10) ** -10, (log(below), ratio.log_e_below(border))


def limits(ratio, threshold, estimate):
    """The log ratios between which ln E is below the threshold; beyond the search where the data are."""

    def side(far):
        if ratio.score(far)[0] * far > 0:
            return inf if far > 0 else -inf
        steps = [estimate + (far - estimate) * k / 400 for k in range(401)]
        refuted = [ratio.log_e(x) >= threshold for x in steps]
        crossings = [k for k in range(400) if refuted[k] != refuted[k + 1]]
        assert len(crossings) <= 1, "more than one crossing"
        if all(refuted):
            return estimate
        if not crossings:
            return inf if far > 0 else -inf
        inside, outside = steps[crossings[0]], steps[crossings[0] + 1]
        for _ in range(110):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if ratio.log_e(middle) >= threshold else (middle, outside)
        return inside

    return side(mpf(-FARTHEST)), side(mpf(FARTHEST))


def shrunken(ratio, estimate):
    """E[log ratio] under the typical prior and a normal likelihood around the estimate."""
    slope = diff(lambda x: ratio.score(x)[0], estimate)
    deviation = sqrt(ratio.score(estimate)[1]) / fabs(slope)
    points = sorted(
        {-6, 6, mpf(0), estimate}
        | {mpf(k) * sd for sd in (mpf("0.1"), mpf("0.5")) for k in range(-10, 11, 2)}
        | {estimate + k * deviation for k in range(-30, 31, 3)}
    )
    prior = lambda x: sum(mpf(part) / mpf(sd) * exp(-((x / mpf(sd)) ** 2) / 2) for sd, part in TYPICAL)
    density = lambda x: prior(x) * exp(-(((estimate - x) / deviation) ** 2) / 2)
    with mp.workdps(20):
        return quad(lambda x: x * density(x), points) / quad(density, points)


def of_values(cells, direction, confidence, worthwhile):
    ratio = Ratio(cells, 1, direction)
    if not ratio.burnt_in:
        return [0, -1, inf, 0, 0]
    border = log1p(mpf(worthwhile)) if direction == "maximize" else -log1p(-mpf(worthwhile))
    holds_what_it_says(ratio, border)
    estimate = ratio.estimate()
    low, high = limits(ratio, -log(1 - mpf(confidence)), estimate)
    mean = shrunken(ratio, estimate)
    if direction == "minimize":
        low, high, mean = -high, -low, -mean
    low, high = expm1(low) if low > -inf else mpf(-1), expm1(high) if high < inf else inf
    return [ratio.log_e(mpf(0)), low, high, min(max(expm1(mean), low), high), ratio.log_e_below(border)]


RATES = {parts: rate_ratio.mixture(parts) for parts in (tuple(DENSITIES), tuple(TYPICAL))}


def of_rates(cells, direction, confidence, worthwhile):
    both = [pair if direction == "maximize" else (pair[1], pair[0], pair[3], pair[2]) for pair in pairs(cells, 1)]
    border = log1p(mpf(worthwhile)) if direction == "maximize" else -log1p(-mpf(worthwhile))
    reach = min(8 * border, border + log(4))
    points = []
    for k in range(128):
        p = k + mpf("0.5")
        distance = reach * (p / 128) ** 2
        density = sum(exp(-((distance / (part * border)) ** 2) / 2) / part for part in (mpf("0.5"), 1, 2))
        points.append((border - distance, p * density))
    weights = sum(weight for _, weight in points)
    below = (
        sum(weight * rate_ratio.likelihood(both, x) for x, weight in points)
        / weights
        / rate_ratio.likelihood(both, border)
    )
    mixture, typical = RATES.values()
    e_value = sum(weight * rate_ratio.likelihood(both, x) for x, weight in mixture)
    top = rate_ratio.mode(both)
    bound = e_value * (1 - mpf(confidence))
    low, high = rate_ratio.limit(both, bound, mpf(-40), top), rate_ratio.limit(both, bound, top, mpf(40))
    posterior = [(x, weight * rate_ratio.likelihood(both, x)) for x, weight in typical]
    mean = sum(x * weight for x, weight in posterior) / sum(weight for _, weight in posterior)
    low = -inf if low == inf else low
    if direction == "minimize":
        low, high, mean = -high, -low, -mean
    low, high = expm1(low) if low > -inf else mpf(-1), expm1(high) if high < inf else inf
    return [log(e_value), low, high, min(max(expm1(mean), low), high), log(below)]


def sold(state, shares, size, factor, rate=0.05, spread=1.0):
    """A cell of sales, as sums of many would come: buyers by rate, amounts around 40 with a spread."""
    exposures, rewards, squares = [], [], []
    for arm, share in enumerate(shares):
        n = size * share // 1_000_000
        mean = rate * (factor if arm == 1 else 1)
        buyers = max(0, round(n * mean + state.gauss(0, 1) * math.sqrt(n * mean)))
        amount = 40 * math.exp(state.gauss(0, spread / math.sqrt(max(1, buyers))))
        exposures.append(n)
        rewards.append(round(buyers * amount, 2))
        squares.append(round(buyers * amount**2 * math.exp(spread**2), 2))
    return Cell(shares, exposures, rewards, squares)


def cases():
    """(name, kind, direction, confidence, worthwhile lift, cells)"""
    state = random.Random(20261127)
    even, bandit = [500_000, 500_000], [
        [500_000, 500_000],
        [300_000, 700_000],
        [200_000, 800_000],
        [10_000, 990_000],
        [960_000, 40_000],
    ]
    third = [
        [333_334, 333_333, 333_333],
        [200_000, 700_000, 100_000],
        [200_000, 10_000, 790_000],
        [200_000, 0, 800_000],
    ]
    for factor in (1.0, 1.1, 0.8, 1.4, 2.5):
        for direction in ("maximize", "minimize"):
            yield f"an even split, a ratio of {factor}", "value", direction, 0.95, 0.1, [
                sold(state, even, 60_000, factor)
            ]
            cells = [
                sold(state, shares, int(10 ** state.uniform(3.5, 5)), factor, 0.05 * math.exp(state.gauss(0, 0.4)))
                for shares in bandit
            ]
            yield f"shares follow rewards, a ratio of {factor}", "value", direction, 0.95, 0.05, cells
    for confidence, lift in ((0.9, 0.02), (0.99, 0.5), (0.95, 0.001)):
        cells = [sold(state, shares, 40_000, 1.05, 0.05 * math.exp(state.gauss(0, 0.4))) for shares in third]
        yield "three arms", "value", "maximize", confidence, lift, cells
    yield "few sales", "value", "maximize", 0.95, 0.1, [sold(state, even, 3_000, 1.2, spread=0.5)]
    yield "before the burn-in", "value", "maximize", 0.95, 0.1, [
        Cell(even, [500, 510], [900.0, 4_000.0], [36_000.0, 200_000.0])
    ]
    yield "no sale", "value", "maximize", 0.95, 0.1, [Cell(even, [500, 510], [0.0, 0.0], [0.0, 0.0])]
    yield "spreads that differ", "value", "maximize", 0.95, 0.1, [
        Cell(even, [20_000, 20_000], [40_000.0, 42_000.0], [2e6, 12e6]),
        Cell([300_000, 700_000], [6_000, 14_000], [12_500.5, 30_000.0], [0.7e6, 8.5e6]),
    ]
    for direction in ("maximize", "minimize"):
        yield "a ratio beyond the search", "value", direction, 0.95, 0.1, [
            Cell(even, [50_000, 50_000], [500.0, 200_000.0], [1_000.0, 90e6])
        ]
        yield "few sales, a ratio beyond the search", "value", direction, 0.95, 0.1, [
            Cell(even, [1_000, 1_000], [60.0, 12_000.0], [90.0, 3.2e6])
        ]
    yield "much data", "value", "maximize", 0.95, 0.01, [sold(state, [200_000, 800_000], 50_000_000, 1.01)]

    def clicked(shares, size, factor, rate):
        exposures = [size * share // 1_000_000 for share in shares]
        return Cell(
            shares, exposures, [round(n * rate * (factor if arm == 1 else 1)) for arm, n in enumerate(exposures)]
        )

    for factor, lift in (
        (1.0, 0.1),
        (1.0, 0.02),
        (1.08, 0.1),
        (0.9, 0.02),
        (1.3, 0.1),
        (0.97, 0.001),
        (1.0, 0.7),
        (0.3, 0.7),
    ):
        for direction in ("maximize", "minimize"):
            cells = [
                clicked(shares, int(10 ** state.uniform(3.5, 5)), factor, 0.03 * math.exp(state.gauss(0, 0.4)))
                for shares in bandit
            ]
            yield f"a worthwhile lift of {lift}, a ratio of {factor}", "binary", direction, 0.95, lift, cells
    yield "a worthwhile lift without rewards", "binary", "maximize", 0.95, 0.1, [Cell(even, [500, 510], [0, 0])]
    yield "a worthwhile lift, rewards of one arm", "binary", "minimize", 0.95, 0.1, [Cell(even, [500, 510], [0, 40])]


def main():
    for name, kind, direction, confidence, lift, cells in cases():
        figures = (of_values if kind == "value" else of_rates)(cells, direction, confidence, lift)
        print(
            ";".join(
                [name, kind, direction, repr(confidence), repr(lift), written(cells)]
                + [nstr(mpf(f), 15) for f in figures]
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
