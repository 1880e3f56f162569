"""Writes intervals.csv: fixed-look intervals of means, differences and lifts, computed apart from the Rust code.

    pip install -r requirements.txt && python3 intervals.py > intervals.csv

In a single cell the intervals are textbook ones: means (Wilson) and the difference (Newcombe's hybrid score) are those
of statsmodels. Everything else is in mpmath at 40 digits and solves what defines it by bisection instead of by a formula:
a limit of a mean is where the weighted score equation

    (sum w (S - N m))^2 = z^2 sum w^2 N (phi m - m^2)

holds, a limit of a ratio is the r at which the MOVER limit of "arm minus r times control" is zero (Donner & Zou 2012). In
single cells both ways must agree.

Each line: name; confidence; kind of metric; cells as `cells.rs` reads them (none: those of the line before); the arm;
then for each of arm, control, difference, lift the estimate, the lower and the upper limit; those of the control alone,
weighed by its own share; and for comparison, where they exist, the limits of the difference by Miettinen & Nurminen's
score, of the lift by Koopman's score (both of statsmodels) and of the lift by the delta method with Welch's t, as gbstats
computes it (`peers.py` holds that against gbstats itself).
"""

import math
import random
import warnings

import numpy as np
from mpmath import erfinv, hypot, inf, mp, mpf, nan, nstr, sqrt
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from cells import Cell, evenly, written

mp.dps = 40


def deviations(confidence):
    return sqrt(2) * erfinv(mpf(confidence))


def bisect(holds, low, high):
    """Where a condition that holds at `low` and not at `high` changes."""
    for _ in range(180):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2


def mean(weighed, phi, z):
    """Estimate and limits of one arm from (weight, exposures, rewards) by cell."""
    rewards, exposures = sum(w * s for w, _, s in weighed), sum(w * n for w, n, _ in weighed)
    variance = z**2 * sum(w * w * n for w, n, _ in weighed)
    if exposures == 0:
        return nan, mpf(0), phi
    estimate = rewards / exposures

    def outside(m):
        return (rewards - exposures * m) ** 2 > variance * (phi * m - m * m)

    low = mpf(0) if estimate == 0 else bisect(outside, mpf(0), estimate)
    high = phi if estimate == phi else bisect(lambda m: not outside(m), estimate, phi)
    return estimate, low, high


def difference(arm, control):
    (a, a_low, a_high), (b, b_low, b_high) = arm, control
    return a - b, a - b - hypot(a - a_low, b_high - b), a - b + hypot(a_high - a, b - b_low)


def lift(arm, control):
    (a, a_low, a_high), (b, b_low, b_high) = arm, control
    if a == b == 0 or mp.isnan(a) or mp.isnan(b):
        return nan, mpf(-1), inf

    def lower(r):
        return a - r * b - hypot(a - a_low, r * (b_high - b))

    def upper(r):
        return a - r * b + hypot(a_high - a, r * (b - b_low))

    far = mpf(1)
    while lower(far) > 0 or (b > 0 and upper(far) > 0):
        far *= 2
    low = mpf(0) if a == 0 else bisect(lambda r: lower(r) > 0, mpf(0), far)
    if b == 0:
        return inf, low - 1, inf
    return a / b - 1, low - 1, bisect(lambda r: upper(r) > 0, mpf(0), far) - 1


def phis(kind, cells):
    """By arm: the larger of its own sum y^2 / sum y and that of all."""
    arms = range(len(cells[0].shares))
    if kind == "binary":
        return [mpf(1) for _ in arms]
    rewards = [sum(mpf(cell.rewards[arm]) for cell in cells) for arm in arms]
    squares = [sum(mpf(cell.squares[arm]) for cell in cells) for arm in arms]
    pooled = sum(squares) / sum(rewards)
    return [max(pooled, squares[arm] / rewards[arm] if rewards[arm] else 0) for arm in arms]


def contrast(cells, arm, phi, z):
    weighed = {arm: [], 0: []}
    for cell in cells:
        mine, other = mpf(cell.shares[arm]) / 10**6, mpf(cell.shares[0]) / 10**6
        if mine > 0 and other > 0:
            g = sqrt(mine * other / (mine + other))
            for index, share in ((arm, mine), (0, other)):
                weighed[index].append((g / share, mpf(cell.exposures[index]), mpf(cell.rewards[index])))
    found, control = mean(weighed[arm], phi[arm], z), mean(weighed[0], phi[0], z)
    return found, control, difference(found, control), lift(found, control)


def control_alone(cells, phi, z):
    served = [cell for cell in cells if cell.shares[0] > 0]
    return mean([(1 / sqrt(mpf(c.shares[0])), mpf(c.exposures[0]), mpf(c.rewards[0])) for c in served], phi[0], z)


def textbook(cell, confidence, mine):
    """Means and difference of a single cell by statsmodels, which must be ours too."""
    alpha = 1 - confidence
    (n0, n), (s0, s) = cell.exposures, cell.rewards
    wilson = [(count / size, *proportion_confint(count, size, alpha, "wilson")) for count, size in ((s, n), (s0, n0))]
    newcombe = confint_proportions_2indep(s, n, s0, n0, method="newcomb", compare="diff", alpha=alpha)
    theirs = [*wilson, (s / n - s0 / n0, *newcombe)]
    for one, other in zip(theirs, mine):
        width = float(other[2] - other[1])
        assert all(abs(x - float(y)) < 1e-11 * width for x, y in zip(one, other)), (cell, one, other)
    return theirs


def scored(cell, confidence, compare):
    """The score limits of statsmodels, where its search finds them."""
    (n0, n), (s0, s) = cell.exposures, cell.rewards
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return confint_proportions_2indep(s, n, s0, n0, method="score", compare=compare, alpha=1 - confidence)
        except ValueError:
            return nan, nan


def references(cell, confidence):
    alpha = 1 - confidence
    (n0, n), (s0, s) = cell.exposures, cell.rewards
    koopman = score = delta = (nan, nan)
    if 0 < s < n and 0 < s0 < n0:
        score = scored(cell, confidence, "diff")
        koopman = [r - 1 for r in scored(cell, confidence, "ratio")]
        m, m0 = s / n, s0 / n0
        v, v0 = m * (1 - m), m0 * (1 - m0)
        freedom = (v / n + v0 / n0) ** 2 / ((v / n) ** 2 / (n - 1) + (v0 / n0) ** 2 / (n0 - 1))
        half = stats.t.ppf(1 - alpha / 2, freedom) * math.sqrt(v / (m0**2 * n) + v0 * m**2 / (m0**4 * n0))
        delta = m / m0 - 1 - half, m / m0 - 1 + half
    return [*score, *koopman, *delta]


def single():
    """One cell of two arms: (name, confidence, cell)."""
    golden = Cell([500_000, 500_000], [10_000, 10_000], [200, 240])
    for confidence in (0.8, 0.95, 0.999):
        yield "golden of the literature", confidence, golden
    for n0, n, s0, s in [
        (1_000, 1_000, 0, 0),
        (1_000, 1_000, 0, 5),
        (1_000, 1_000, 5, 0),
        (1_000, 1_000, 1_000, 1_000),
        (1_000, 1_000, 0, 1_000),
        (1_000, 1_000, 1_000, 0),
        (1_000, 1_000, 1, 1),
        (1_000, 1_000, 3, 9),
        (1_000, 1_000, 9, 3),
        (20, 20, 2, 3),
        (20, 10_000_000, 1, 900_000),
        (10_000_000, 20, 1_000, 1),
        (10_000_000, 10_000_000, 1_000, 1_100),
        (10_000, 10_000, 9_900, 9_950),
        (10_000_000, 10_000_000, 5_000_000, 5_002_000),
        (50_000, 50_000, 0, 10_000),
        (20, 30, 20, 29),
    ]:
        yield "at the edges", 0.95, Cell([500_000, 500_000], [n0, n], [s0, s])
    drawn = random.Random(20261124)
    for share in (500_000, 200_000, 990_000, 10_000, 999_000):
        for _ in range(7):
            n = int(10 ** drawn.uniform(3, 7))
            sizes = [max(20, n * part // 1_000_000) for part in (1_000_000 - share, share)]
            rate = 10 ** drawn.uniform(-4, -0.01)
            rates = [rate, min(1.0, rate * math.exp(drawn.gauss(0, 0.2)))]
            counts = [
                min(size, round(size * r + drawn.gauss(0, 1) * math.sqrt(size * r * (1 - r))))
                for size, r in zip(sizes, rates)
            ]
            confidence = drawn.choice([0.9, 0.95, 0.99])
            yield "drawn", confidence, Cell([1_000_000 - share, share], sizes, [max(0, c) for c in counts])


def rewarded(drawn, kind, n, rate):
    """Rewards and their squares of n exposures, whole or in cents, as a normal draw around what is expected."""
    count = min(n, max(0, round(n * rate + drawn.gauss(0, 1) * math.sqrt(n * rate * (1 - rate)))))
    if kind == "binary":
        return count, count
    total = round(count * 30 * math.exp(drawn.gauss(0, 0.1)), 2)
    return total, round(total * 80 * math.exp(drawn.gauss(0, 0.1)), 2)


def filled(drawn, kind, allocations, factors):
    """Cells by (segment, exposures, shares), each arm at its factor of the cell's rate, which moves."""
    cells = []
    for segment, size, shares in allocations:
        rate = 0.05 * math.exp(drawn.gauss(0, 0.5))
        exposures = [round(size * share / 1_000_000) for share in shares]
        both = [rewarded(drawn, kind, n, min(0.9, rate * factor)) for n, factor in zip(exposures, factors)]
        cells.append(
            Cell(
                shares,
                exposures,
                [y for y, _ in both],
                [y for _, y in both] if kind == "value" else None,
                None,
                segment,
            )
        )
    return cells


def several():
    """Experiments of several cells: (name, kind, cells)."""
    drawn = random.Random(20261125)
    bandit = [
        [500_000, 500_000],
        [300_000, 700_000],
        [200_000, 800_000],
        [100_000, 900_000],
        [10_000, 990_000],
        [950_000, 50_000],
    ]
    late = [
        [1_000_000, 0, 0, 0],
        [600_000, 400_000, 0, 0],
        [200_000, 790_000, 10_000, 0],
        [200_000, 0, 500_000, 300_000],
        [200_000, 1_000, 99_000, 700_000],
        [0, 1_000, 299_000, 700_000],
    ]
    crossed = [[200_000, 700_000, 100_000], [200_000, 100_000, 700_000], [333_334, 333_333, 333_333]]
    for kind in ("binary", "value"):
        for number in range(3):
            sizes = [int(10 ** drawn.uniform(2.5, 5)) for _ in bandit]
            yield "shares follow rewards", kind, filled(
                drawn, kind, [(0, n, s) for n, s in zip(sizes, bandit)], [1, 1.1]
            )
            sizes = [int(10 ** drawn.uniform(3.5, 5)) for _ in late]
            yield "arms that come late and go", kind, filled(
                drawn, kind, [(0, n, s) for n, s in zip(sizes, late)], [1, 0.9, 1.1, 1.3]
            )
            listed = [
                (segment, int(10 ** drawn.uniform(3, 5)), crossed[(segment + turn) % 3])
                for segment in range(3)
                for turn in range(3)
            ]
            yield "segments of different shares", kind, filled(drawn, kind, listed, [1, 1.05, 0.8])
        yield "a floor of one in a million", kind, filled(
            drawn, kind, [(0, 10_000_000, [999_999, 1]), (0, 10_000_000, [999_000, 1_000])], [1, 1]
        )
        ten = [(0, 50_000, evenly(10)), (0, 200_000, [200_000] + [10_000] * 8 + [720_000])]
        yield "ten arms", kind, filled(drawn, kind, ten, [1, 0.9, 0.95, 1, 1, 1.05, 1.1, 0.8, 1.2, 1.3])
    yield "some cells without a reward", "binary", [
        Cell([500_000, 500_000], [40, 41], [0, 0]),
        Cell([200_000, 800_000], [300, 1_190], [0, 4]),
        Cell([200_000, 800_000], [0, 0], [0, 0]),
        Cell([100_000, 900_000], [70, 600], [1, 0]),
    ]
    yield "every exposure rewarded", "binary", [
        Cell([500_000, 500_000], [40, 41], [40, 41]),
        Cell([250_000, 750_000], [10, 33], [10, 30]),
    ]
    yield "never shown together", "binary", [
        Cell([1_000_000, 0], [900, 0], [20, 0]),
        Cell([0, 1_000_000], [0, 900], [0, 30]),
    ]
    yield "one arm without a reward, much larger ones of the other", "value", [
        Cell([500_000, 500_000], [900, 910], [0.0, 300.0], [0.0, 60_000.0]),
        Cell([200_000, 800_000], [90, 410], [0.0, 20.0], [0.0, 400.0]),
    ]
    yield "an arm of few and small rewards", "value", [
        Cell([500_000, 500_000], [5_000, 5_000], [7_400.5, 310.25], [601_000.5, 3_200.75]),
        Cell([980_000, 20_000], [9_800, 200], [14_000.0, 5.5], [1_150_000.0, 30.25]),
    ]


def line(name, confidence, kind, cells, arm, intervals, compared):
    figures = [figure for interval in intervals for figure in interval] + compared
    return ";".join(
        [name, repr(confidence), kind, written(cells), str(arm)] + [nstr(mpf(figure), 15) for figure in figures]
    )


def main():
    for name, confidence, cell in single():
        z, phi = deviations(confidence), [mpf(1), mpf(1)]
        found = contrast([cell], 1, phi, z)
        control = control_alone([cell], phi, z)
        theirs = textbook(cell, confidence, found)
        print(line(name, confidence, "binary", [cell], 1, [*theirs, found[3], control], references(cell, confidence)))
    for name, kind, cells in several():
        z, phi = deviations(0.95), phis(kind, cells)
        control = control_alone(cells, phi, z)
        for arm in range(1, len(cells[0].shares)):
            intervals = [*contrast(cells, arm, phi, z), control]
            print(line(name, 0.95, kind, cells if arm == 1 else [], arm, intervals, []))


if __name__ == "__main__":
    main()
