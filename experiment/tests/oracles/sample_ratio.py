"""Writes sample_ratio.csv: the sequential test of counts against shares, computed apart from the Rust code.

    pip install -r requirements.txt && python3 sample_ratio.py > sample_ratio.csv

For each arm against all others together the e-value of rate_ratio.py (mpmath, 50 digits) over counts in place of rewards;
their mean is the e-value (Vovk & Wang 2021). Counts are exposures and, where decisions are known, the mean over these,
decisions, and decisions without an exposure. An arm that has everything, or nothing, can't miss its share there.

Each line: name; cells as `cells.rs` reads them; ln E.
"""

import random

from mpmath import log, nstr

from cells import Cell, evenly, written
from rate_ratio import likelihood, mixture

POINTS = mixture([("0.02", "0.1"), ("0.1", "0.3"), ("0.2", "0.3"), ("0.4", "0.3")])


def of_arm(counted, arm):
    """E of (shares, counts) by cell."""
    both = [
        (1_000_000 - shares[arm], shares[arm], sum(counts) - counts[arm], counts[arm])
        for shares, counts in counted
        if 0 < shares[arm] < 1_000_000
    ]
    return sum(weight * likelihood(both, x) for x, weight in POINTS)


def e_value(counted):
    arms = len(counted[0][0])
    return sum(of_arm(counted, arm) for arm in range(arms)) / arms


def sample_ratio(cells):
    decided = [cell for cell in cells if cell.decisions]
    counts = [[(cell.shares, cell.exposures) for cell in cells]]
    if decided:
        unexposed = [[d - n for d, n in zip(cell.decisions, cell.exposures)] for cell in decided]
        counts.append([(cell.shares, cell.decisions) for cell in decided])
        counts.append([(cell.shares, missed) for cell, missed in zip(decided, unexposed)])
    return log(sum(e_value(counted) for counted in counts) / len(counts))


def drawn(state, allocations, bias, decided=False):
    """Counts of (size, shares), the last arm `bias` times as often as its share says."""
    cells = []
    for size, shares in allocations:
        weights = [share * (bias if arm == len(shares) - 1 else 1) for arm, share in enumerate(shares)]
        counts = [0] * len(shares)
        for arm in state.choices(range(len(shares)), weights, k=size):
            counts[arm] += 1
        exposures = [sum(state.random() < 0.8 for _ in range(count)) for count in counts] if decided else counts
        cells.append(Cell(shares, exposures, [0] * len(shares), None, counts if decided else None))
    return cells


def cases():
    state = random.Random(20261130)
    bandit = [evenly(4), [200_000, 500_000, 200_000, 100_000], [200_000, 790_000, 9_000, 1_000]]
    yield "nothing counted", [Cell([500_000, 500_000], [0, 0], [0, 0])]
    yield "an even split", [Cell([500_000, 500_000], [5_000, 5_100], [0, 0])]
    yield "one in a hundred too many", [Cell([500_000, 500_000], [500_000, 510_000], [0, 0])]
    yield "far off", [
        Cell([500_000, 500_000], [5_000, 4_000], [0, 0]),
        Cell([200_000, 800_000], [2_500, 8_000], [0, 0]),
    ]
    yield "an arm that is never shown", [Cell([200_000, 500_000, 300_000], [2_000, 5_000, 0], [0, 0, 0])]
    yield "one arm alone", [Cell([1_000_000, 0], [900, 0], [0, 0]), Cell([500_000, 500_000], [410, 390], [0, 0])]
    for bias in (1, 1.05, 1.3):
        yield f"changing shares, {bias} times the last arm's", drawn(
            state, [(20_000, shares) for shares in bandit], bias
        )
    yield "ten arms", drawn(state, [(30_000, evenly(10)), (30_000, [100_000] + [20_000] * 5 + [200_000] * 4)], 1)
    for bias in (1, 1.1):
        yield f"decisions known, {bias} times the last arm's", drawn(
            state, [(20_000, shares) for shares in bandit], bias, True
        )
    yield "decisions off, exposures not", [Cell([500_000, 500_000], [1_000, 1_010], [0, 0], None, [2_000, 3_000])]
    yield "exposures off, decisions not", [Cell([500_000, 500_000], [1_000, 1_500], [0, 0], None, [2_000, 2_010])]
    yield "shown less often", [Cell([500_000, 500_000], [47_500, 47_000], [0, 0], None, [50_000, 50_000])]
    yield "decisions of one cell only", [
        Cell([500_000, 500_000], [1_000, 1_010], [0, 0], None, [2_000, 2_200]),
        Cell([250_000, 750_000], [500, 1_490], [0, 0]),
    ]


def main():
    for name, cells in cases():
        print(";".join([name, written(cells), nstr(sample_ratio(cells), 15)]))


if __name__ == "__main__":
    main()
