"""Writes policies.csv: how often arms are shown, from simulated Thompson sampling and from mabwiser.

    pip install -r requirements.txt && python3 policies.py > policies.csv

Top-two Thompson sampling is played as Russo (2020) writes it: draw from the beliefs, take the best; in half of the cases
draw again until another one is the best. Plain Thompson sampling of rates is mabwiser's ThompsonSampling, trained with
single rewards and asked again and again; of values, where mabwiser knows none, and with a look-back, it is drawn here too.

Beliefs are Beta(1 + rewards, 1 + misses); for values normal, with one exposure of the pooled mean beside the data and the
variance phi m - m^2, phi the larger of the arm's sum y^2 / sum y and that of all. With a look-back of h a cell counts by
half to the power of the exposures after it over h.

Each line: name; rule; kind and direction of the metric; look-back, if any; cells as `cells.rs` reads them; how often
something was drawn; how often each arm was. Takes a minute.
"""

import warnings

import numpy as np

warnings.filterwarnings("ignore")
from mabwiser.mab import MAB, LearningPolicy  # noqa: E402

from cells import Cell, evenly, written  # noqa: E402

DRAWS = 1_000_000
ASKED = 200_000


def discounted(cells, look_back):
    """Exposures and rewards by arm."""
    later, exposures, rewards = 0, 0, 0
    for cell in reversed(cells):
        weight = 0.5 ** (later / look_back) if look_back else 1
        exposures = exposures + weight * np.array(cell.exposures, float)
        rewards = rewards + weight * np.array(cell.rewards, float)
        later += sum(cell.exposures)
    return exposures, rewards


def drawer(generator, kind, direction, cells, look_back):
    """A function that draws which arm is best, so many times."""
    exposures, rewards = discounted(cells, look_back)
    if kind == "binary":
        draw = lambda size: generator.beta(1 + rewards, 1 + exposures - rewards, (size, len(rewards)))
    else:
        sums = [np.sum([getattr(cell, what) for cell in cells], axis=0) for what in ("rewards", "squares")]
        phi = np.maximum(sums[1] / sums[0], sums[1].sum() / sums[0].sum())
        means = (rewards + rewards.sum() / exposures.sum()) / (exposures + 1)
        deviations = np.sqrt(means * (phi - means) / (exposures + 1))
        draw = lambda size: generator.normal(means, deviations, (size, len(rewards)))
    return lambda size: (np.argmax if direction == "maximize" else np.argmin)(draw(size), axis=1)


def top_two(best):
    played = best(DRAWS)
    again = np.flatnonzero(np.arange(DRAWS) % 2)
    first = played.copy()
    while len(again):
        played[again] = best(len(again))
        again = again[played[again] == first[again]]
    return played


def of_mabwiser(cell, seed):
    decisions = np.repeat(np.arange(len(cell.exposures)), cell.exposures)
    rewards = np.concatenate([np.arange(n) < s for n, s in zip(cell.exposures, cell.rewards)]).astype(int)
    bandit = MAB(list(range(len(cell.exposures))), LearningPolicy.ThompsonSampling(), seed=seed)
    bandit.fit(decisions, rewards)
    return np.array([bandit.predict() for _ in range(ASKED)])


def even(*counts):
    return [Cell(evenly(len(counts)), [n for n, _ in counts], [s for _, s in counts])]


def cases():
    """(name, kind, direction, look-back, cells)"""
    yield "no data", "binary", "maximize", None, even((0, 0), (0, 0), (0, 0))
    yield "golden of the literature", "binary", "maximize", None, even((10_000, 200), (10_000, 240))
    yield "five arms", "binary", "maximize", None, even((900, 20), (1_000, 21), (2_000, 50), (500, 14), (60, 1))
    yield "one far ahead", "binary", "maximize", None, even((2_000, 30), (2_000, 60), (2_000, 31), (2_000, 40))
    yield "less is better", "binary", "minimize", None, even((900, 20), (1_000, 21), (2_000, 50), (500, 14), (60, 1))
    yield "ten arms, 1 % to 3 %", "binary", "maximize", None, even(*[(3_000, 30 + 7 * k) for k in range(10)])
    yield "rates near one", "binary", "maximize", None, even((300, 300), (1_000, 997), (40, 40), (500, 490))
    moved = [
        Cell([500_000, 300_000, 200_000], [5_000, 3_000, 2_000], [150, 60, 42]),
        Cell([100_000, 400_000, 500_000], [900, 3_600, 4_500], [20, 90, 120]),
        Cell([200_000, 500_000, 300_000], [600, 1_500, 900], [9, 40, 19]),
    ]
    yield "a look-back", "binary", "maximize", 4_000.0, moved
    yield "no look-back", "binary", "maximize", None, moved
    yield "values", "value", "maximize", None, [
        Cell(evenly(3), [2_000, 1_500, 300], [4_100.5, 3_300.0, 590.0], [246_030.0, 231_000.0, 29_500.0])
    ]
    yield "small values are better", "value", "minimize", None, [
        Cell(evenly(3), [2_000, 1_500, 300], [4_100.5, 3_300.0, 590.0], [246_030.0, 231_000.0, 29_500.0])
    ]


def main():
    generator = np.random.default_rng(20261129)
    for number, (name, kind, direction, look_back, cells) in enumerate(cases()):
        best = drawer(generator, kind, direction, cells, look_back)
        known = kind == "binary" and direction == "maximize" and len(cells) == 1
        thompson = of_mabwiser(cells[0], number + 1) if known else best(DRAWS)
        for rule, played in (("Thompson", thompson), ("TopTwo", top_two(best))):
            counts = np.bincount(played, minlength=len(cells[0].shares))
            fields = [
                name,
                rule,
                kind,
                direction,
                repr(look_back) if look_back else "",
                written(cells),
                str(len(played)),
            ]
            print(";".join(fields + [",".join(map(str, counts))]), flush=True)


if __name__ == "__main__":
    main()
