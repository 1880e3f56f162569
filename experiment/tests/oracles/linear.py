"""Writes linear.csv: how often arms are shown in segments with features, from mabwiser's LinTS.

    pip install -r requirements.txt && python3 linear.py > linear.csv

LinTS of mabwiser fits A = I + sum x x' and b = sum y x for each arm, and shows the arm of the largest x' theta with theta
drawn from a normal distribution around A^-1 b with the covariance alpha^2 A^-1 (Agrawal & Goyal 2013). It is trained with
one row for each exposure, rewards less the mean of all rewards m, and alpha^2 = v, a quarter of the variance phi m - m^2 of
rewards with phi = sum y^2 / sum y; of a metric of which less is better rewards are taken for their negatives. The data are
fixed numbers, and each segment is asked 400 000 times.

Each arm has a bandit of its own, with a seed of its own, and the largest of what they draw is shown. In one bandit mabwiser
2.7.4 copies its random numbers together with the model when it fits an arm, so that all arms draw the same ones: the arm of
the largest mean is then shown far too often, in the first case always, instead of in 94 of 100 draws.

Each line: name; kind and direction of the metric; features, those of a segment apart by `/`; cells as `cells.rs` reads them;
how often each segment was asked; how often each arm was shown, those of a segment apart by `/`. Takes a minute.
"""

import warnings

import numpy as np

warnings.filterwarnings("ignore")
from mabwiser.mab import MAB, LearningPolicy  # noqa: E402

from cells import Cell, evenly, written  # noqa: E402

ASKED = 400_000
#: Of the variance of rewards, what is explored with; `EXPLORED` of `policy/linear.rs`.
EXPLORED = 0.25


def rows(cells, features, worth):
    """Decisions, rewards and contexts, one for each exposure; a reward is worth so much."""
    decisions, rewards, contexts = [], [], []
    for cell in cells:
        for arm, (n, s) in enumerate(zip(cell.exposures, cell.rewards)):
            acted = round(s / worth)
            decisions += [arm] * n
            rewards += [worth] * acted + [0.0] * (n - acted)
            contexts += [features[cell.segment]] * n
    return np.array(decisions), np.array(rewards, float), np.array(contexts, float)


def shown(cells, features, direction, worth, seed):
    """By segment, how often each arm is shown."""
    decisions, rewards, contexts = rows(cells, features, worth)
    mean = rewards.mean()
    phi = (rewards**2).sum() / rewards.sum()
    alpha = np.sqrt(EXPLORED * mean * (phi - mean))
    sign = 1 if direction == "maximize" else -1
    drawn = []
    for arm in range(len(cells[0].exposures)):
        of_arm = decisions == arm
        bandit = MAB([arm], LearningPolicy.LinTS(alpha=float(alpha), l2_lambda=1.0), seed=1000 * seed + arm)
        bandit.fit(decisions[of_arm], sign * (rewards - mean)[of_arm], contexts[of_arm])
        drawn.append([[one[arm] for one in bandit.predict_expectations([x] * ASKED)] for x in features])
    return [np.bincount(np.argmax(of_segment, axis=0), minlength=len(drawn)) for of_segment in np.swapaxes(drawn, 0, 1)]


def cell(segment, *counts, worth=1.0):
    exposures, acted = zip(*counts)
    rewards = [worth * s if worth != 1.0 else s for s in acted]
    squares = None if worth == 1.0 else [worth * worth * s for s in acted]
    return Cell(evenly(len(counts)), list(exposures), rewards, squares, segment=segment)


def cases():
    """(name, kind, direction, features, cells, worth)"""
    alone = [[1.0, 0.5]]
    yield "one segment", "binary", "maximize", alone, [cell(0, (1000, 50), (1000, 58), (1000, 47))], 1.0
    apart = [[1.0, 0.0], [0.0, 1.0]]
    crossed = [cell(0, (800, 30), (900, 45)), cell(1, (1000, 70), (950, 52))]
    yield "segments that share nothing", "binary", "maximize", apart, crossed, 1.0
    alike = [[1.0, 0.2], [1.0, 0.4], [1.0, -0.7]]
    lines = [cell(0, (500, 20), (600, 33), (550, 20)), cell(1, (450, 18), (600, 35), (400, 16))]
    yield "a segment that nobody saw", "binary", "maximize", alike, lines, 1.0
    yield "less is better", "binary", "minimize", alike, lines, 1.0
    again = lines + [cell(0, (100, 6), (900, 45), (100, 4)), cell(2, (300, 24), (310, 12), (305, 18))]
    yield "several rounds", "binary", "maximize", alike, again, 1.0
    few = [cell(0, (3, 0), (2, 1), (4, 1)), cell(1, (1, 0), (3, 1), (2, 0))]
    yield "hardly anything", "binary", "maximize", alike, few, 1.0
    values = [cell(0, (500, 20), (600, 33), worth=12.5), cell(1, (450, 28), (600, 20), worth=12.5)]
    yield "values", "value", "maximize", alike[:2], values, 12.5


def main():
    for seed, (name, kind, direction, features, cells, worth) in enumerate(cases(), 1):
        by_segment = shown(cells, features, direction, worth, seed)
        listed = lambda parts: "/".join(",".join(str(part) for part in of_segment) for of_segment in parts)
        print(name, kind, direction, listed(features), written(cells), ASKED, listed(by_segment), sep=";")


if __name__ == "__main__":
    main()
