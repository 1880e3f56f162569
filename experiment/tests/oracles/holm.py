"""Writes holm.csv: adjusted any-time p-values and limits of many arms, from statsmodels and an independent likelihood.

    pip install -r requirements.txt && python3 holm.py > holm.csv

The e-values are those of rate_ratio.py (mpmath, 50 digits). An arm that is above the control has the one-sided p-value
1/(2E - 1), any other 1. statsmodels adjusts them (Holm) in each generation over the arms that ever had a share. An arm
that Holm rejects had to reach the level divided by how many were not rejected before it, the rest by how many are not
rejected at all; its limits are where E reaches what gives just that p-value.

Generation 1 spends a/(2 - a), a being 1 - confidence, generation g > 1 spends (a - a/(2 - a))/((pi^2/6 - 1) g^2).

Each line: name; direction; confidence; generation of each variant, r behind a retired one; cells as `cells.rs` reads
them; then for each variant ln E/level/adjusted p-value/lower/upper lift. Takes a minute.
"""

import math
import random

from mpmath import exp, expm1, inf, log, mpf, nstr, pi
from statsmodels.stats.multitest import multipletests

from cells import Cell, evenly, pairs, written
from rate_ratio import likelihood, limit, mixture, mode

POINTS = mixture([("0.02", "0.1"), ("0.1", "0.3"), ("0.2", "0.3"), ("0.4", "0.3")])


def level(confidence, generation):
    alpha = 1 - mpf(confidence)
    first = alpha / (2 - alpha)
    return first if generation == 1 else (alpha - first) / ((pi**2 / 6 - 1) * generation**2)


def improvements(cells, arm, direction):
    """What both saw, so that a ratio above 1 is an improvement."""
    return [pair if direction == "maximize" else (pair[1], pair[0], pair[3], pair[2]) for pair in pairs(cells, arm)]


def evidence(both):
    """E(1), and whether the likelihood rises there."""
    e_value = sum(weight * likelihood(both, x) for x, weight in POINTS)
    return e_value, likelihood(both, mpf(10) ** -20) > 1


def one_sided(e_value, above):
    return min(mpf(1), 1 / (2 * e_value - 1)) if above and e_value > 1 else mpf(1)


def adjust(p_values, alpha):
    """Adjusted p-values, and by how much the level is divided for each."""
    rejected, adjusted, _, _ = multipletests([float(p) for p in p_values], alpha=float(alpha), method="holm")
    left = len(p_values) - sum(rejected)
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    return adjusted, [len(p_values) - order.index(i) if rejected[i] else left for i in range(len(p_values))]


def limits(both, e_value, divided_level, direction):
    bound = e_value / ((1 + 1 / divided_level) / 2)
    top = mode(both)
    low, high = limit(both, bound, mpf(-40), top), limit(both, bound, top, mpf(40))
    low, high = -inf if low == inf else low, high
    if direction == "minimize":
        low, high = -high, -low
    return (mpf(-1) if low == -inf else expm1(low)), (inf if high == inf else expm1(high))


def answers(direction, confidence, standings, cells):
    arms = range(1, len(standings) + 1)
    both = {arm: improvements(cells, arm, direction) for arm in arms}
    found = {arm: evidence(both[arm]) for arm in arms}
    generation = {arm: int(standings[arm - 1].rstrip("r")) for arm in arms}
    adjusted, divisor = {arm: 1.0 for arm in arms}, {arm: 1 for arm in arms}
    for number in set(generation.values()):
        family = [arm for arm in arms if generation[arm] == number and any(cell.shares[arm] > 0 for cell in cells)]
        if family:
            p_values = [one_sided(*found[arm]) for arm in family]
            for arm, p, by in zip(family, *adjust(p_values, level(confidence, number))):
                adjusted[arm], divisor[arm] = p, by
    for arm in arms:
        spend = level(confidence, generation[arm])
        low, high = limits(both[arm], found[arm][0], spend / divisor[arm], direction)
        yield log(found[arm][0]), spend, adjusted[arm], low, high


def drawn(random_state, allocations, factors, rate=0.03):
    """Cells of these sizes and shares, each arm at its factor of a rate that moves, by a normal approximation."""
    cells = []
    for size, shares in allocations:
        moved = rate * math.exp(random_state.gauss(0, 0.3))
        exposures = [size * share // 1_000_000 for share in shares]
        rates = [min(0.9, moved * factor) for factor in factors]
        counts = [
            round(n * p + random_state.gauss(0, 1) * math.sqrt(n * p * (1 - p))) for n, p in zip(exposures, rates)
        ]
        cells.append(Cell(shares, exposures, [min(n, max(0, s)) for n, s in zip(exposures, counts)]))
    return cells


def cases():
    state = random.Random(20261126)
    even = evenly(5)
    some = [200_000, 400_000, 300_000, 90_000, 10_000]
    yield "five arms, two of them better", "maximize", 0.95, ["1"] * 4, drawn(
        state, [(60_000, even), (150_000, some)], [1, 1.35, 1.3, 1.02, 0.9]
    )
    yield "all better", "maximize", 0.95, ["1"] * 4, drawn(state, [(150_000, even)], [1, 1.4, 1.5, 1.6, 1.8])
    yield "none better", "maximize", 0.95, ["1"] * 4, drawn(state, [(90_000, even)], [1, 0.7, 0.98, 1, 0.6])
    yield "less is better", "minimize", 0.9, ["1", "1r", "1", "1"], drawn(
        state, [(60_000, even), (150_000, some)], [1, 0.6, 0.75, 1.02, 0.9]
    )
    twenty = [100_000] + [10_000] * 10 + [50_000] * 6 + [200_000, 100_000, 150_000, 50_000]
    yield "twenty variants", "maximize", 0.95, ["1"] * 20, drawn(
        state,
        [(210_000, evenly(21)), (400_000, twenty)],
        [1] * 8 + [1.1, 1.2, 0.9, 1.2, 1.3, 1.05, 0.8, 1.15, 1.25, 1.3, 1.5, 1.4, 1.2],
    )
    late = [(100_000, [500_000, 300_000, 200_000, 0, 0, 0]), (200_000, [200_000, 0, 200_000, 300_000, 300_000, 0])]
    yield "a later generation, and one arm never shown", "maximize", 0.95, ["1r", "1", "2", "2", "3"], drawn(
        state, late, [1, 1.2, 1.3, 1.25, 1.3, 1]
    )
    yield "another confidence", "maximize", 0.8, ["1", "1", "1"], drawn(
        state, [(70_000, evenly(4))], [1, 1.15, 1.2, 1.1]
    )
    yield "evidence beyond doubles", "maximize", 0.95, ["1", "1"], [
        Cell(evenly(3), [10**6] * 3, [20_000, 40_000, 20_300])
    ]
    yield "no data", "maximize", 0.95, ["1", "1"], [Cell(evenly(3), [0] * 3, [0] * 3)]


def main():
    for name, direction, confidence, standings, cells in cases():
        listed = [
            "/".join(nstr(mpf(figure), 15) for figure in answer)
            for answer in answers(direction, confidence, standings, cells)
        ]
        print(";".join([name, direction, repr(confidence), ",".join(standings), written(cells)] + listed), flush=True)


if __name__ == "__main__":
    main()
