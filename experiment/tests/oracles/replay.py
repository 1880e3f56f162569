"""Writes replay.csv: a log of the Open Bandit Dataset, and what obp's own estimators say of it.

    pip install --no-deps --ignore-requires-python -r requirements-replay.txt && python3 replay.py > replay.csv

The log is the sample that obp ships under its Apache License 2.0 (Saito, Aihara, Matsutani & Narita 2020): ten thousand
rows of a policy that showed each of 80 items with the same chance in each of three positions, campaign "all". The policy
that is scored is the Bernoulli Thompson sampling that ran in production, its chances drawn as obp's own examples draw
them.

obp imports PyTorch for learners that nobody needs here; what stands in for it below holds nothing but names.

Lines: `policy;ITEM;chance in position 0;1;2`, `row;position;item;reward;group`, and `figure;NAME;value`. Groups are
numbers that a generator of its own drew: the doubly robust figure gives obp the means of all other groups.
"""

import logging
import math
import sys

import numpy as np
from scipy.stats import t as student

logging.disable(logging.INFO)


class Names(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class Torch(metaclass=Names):
    pass


for module in ("torch", "torch.nn", "torch.nn.functional", "torch.optim"):
    sys.modules[module] = Torch

from obp.dataset import OpenBanditDataset  # noqa: E402
from obp.ope import DirectMethod, DoublyRobust, InverseProbabilityWeighting, SelfNormalizedInverseProbabilityWeighting  # noqa: E402
from obp.policy import BernoulliTS  # noqa: E402

GROUPS = 256


def means(rewards, cells):
    """The mean reward of each item in each position."""
    sums, counts = np.zeros((80, 3)), np.zeros((80, 3))
    np.add.at(sums, cells, rewards)
    np.add.at(counts, cells, 1)
    assert counts.min() > 0
    return sums / counts


def limits(parts, groups, estimate):
    """Hall's limits from each row's part of an estimate, summed by group, row by row and not by sums of cells."""
    errors = np.bincount(groups, weights=parts, minlength=GROUPS) / len(parts)
    count = len(np.unique(groups))
    se = math.sqrt((errors**2).sum() * count / (count - 1))
    skewness = (errors**3).sum() / (errors**2).sum() ** 1.5
    z = student.ppf(0.975, count - 1)
    # The inverse of t + s t²/3 + s² t³/27 + s/6, s being the skewness of the sum.
    t = [3 / skewness * (np.cbrt(1 + skewness * (z - skewness / 6)) - 1) for z in (z, -z)]
    return se, max(estimate - se * t[0], 0), estimate - se * t[1]


def main():
    log = OpenBanditDataset(behavior_policy="random", campaign="all").obtain_batch_bandit_feedback()
    policy = BernoulliTS(n_actions=80, len_list=3, is_zozotown_prior=True, campaign="all", random_state=12345)
    chances = policy.compute_batch_action_dist(n_sim=100_000, n_rounds=1)[0]
    item, position, reward, rows = log["action"], log["position"], log["reward"], log["n_rounds"]
    groups = np.random.RandomState(7).randint(GROUPS, size=rows)
    assert set(log["pscore"]) == {0.0125}

    every = np.arange(rows)
    dist = np.tile(chances, (rows, 1, 1))
    in_sample = means(reward, (item, position))
    crossed = np.empty((rows, 80, 3))
    for group in range(GROUPS):
        others = groups != group
        crossed[~others] = means(reward[others], (item[others], position[others]))

    given = dict(reward=reward, action=item, position=position, pscore=log["pscore"], action_dist=dist)
    ipw, snipw = InverseProbabilityWeighting(), SelfNormalizedInverseProbabilityWeighting()
    figures = {
        "logged": reward.mean(),
        "inverse propensity": ipw.estimate_policy_value(**given),
        "self-normalized": snipw.estimate_policy_value(**given),
        "direct": DirectMethod().estimate_policy_value(
            action_dist=dist, position=position, estimated_rewards_by_reg_model=np.tile(in_sample, (rows, 1, 1))
        ),
        "doubly robust": DoublyRobust().estimate_policy_value(**given, estimated_rewards_by_reg_model=crossed),
        # What the policy brought when it ran, from a log of its own.
        "on policy": OpenBanditDataset.calc_on_policy_policy_value_estimate("bts", "all"),
    }

    # Ours, computed from rows.
    weights = chances[item, position] / log["pscore"]
    model = (dist * crossed).sum(axis=1)[every, position]
    parts = {
        "logged": reward - figures["logged"],
        "inverse propensity": weights * reward - figures["inverse propensity"],
        "self-normalized": weights * (reward - figures["self-normalized"]) / weights.mean(),
        "doubly robust": model + weights * (reward - crossed[every, item, position]) - figures["doubly robust"],
    }
    counts = np.zeros((80, 3))
    np.add.at(counts, (item, position), 1)
    share = (chances * np.bincount(position))[item, position] / counts[item, position]
    parts["direct"] = (
        (chances * in_sample).sum(axis=0)[position] - figures["direct"] + share * (reward - in_sample[item, position])
    )
    for name, part in parts.items():
        found = limits(part, groups, figures[name])
        figures |= {f"{name}, {what}": value for what, value in zip(("standard error", "low", "high"), found)}
    figures["effective rows"] = weights.sum() ** 2 / (weights**2).sum()
    figures["effective rewards"] = (weights * reward).sum() ** 2 / ((weights * reward) ** 2).sum()
    figures["largest weight"] = weights.max()
    for name, estimator in {"inverse propensity": ipw, "self-normalized": snipw}.items():
        interval = estimator.estimate_interval(**given, n_bootstrap_samples=10_000, random_state=12345)
        figures |= {f"{name}, bootstrap {end}": interval[f"95.0% CI ({end})"] for end in ("lower", "upper")}

    for number, row in enumerate(chances):
        print("policy", number, *(f"{chance:.5f}" for chance in row), sep=";")
    for row in zip(position, item, reward, groups):
        print("row", *row, sep=";")
    for name, value in figures.items():
        print("figure", name, repr(float(value)), sep=";")


if __name__ == "__main__":
    main()
