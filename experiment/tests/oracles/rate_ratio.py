"""Writes rate_ratio.csv: e-values, confidence sequences and shrunken lifts, computed apart from the Rust code.

    pip install mpmath && python3 rate_ratio.py > rate_ratio.csv

Everything is in mpmath at 50 digits, from the formulas of docs/design/verdicts.md: the likelihood of each reward is a
ratio of rates, not an expression in logarithms, and limits are found by its own root finder. Each line: a name, the
cells as shares_control/share_arm/rewards_control/rewards_arm, ln E(1), lower and upper lift at 95 %, shrunken lift.
"""

from mpmath import mp, mpf, cosh, exp, expm1, findroot, inf, log, nstr, sinh

mp.dps = 50
WIDEST, FINEST, SIDE = log(4), mpf("0.0005"), 200


def mixture(parts):
    """Log ratios with weights that sum to one, from normal densities given as (standard deviation, part)."""
    rate = findroot(lambda r: log(WIDEST * sinh(r) / sinh(SIDE * r) / FINEST), (mpf("0.01"), mpf("0.1")), solver="illinois")
    scale = WIDEST / sinh(SIDE * rate)
    points = []
    for i in range(-SIDE, SIDE + 1):
        x = scale * sinh(rate * i)
        normal = sum(mpf(part) / mpf(sd) * exp(-(x / mpf(sd)) ** 2 / 2) for sd, part in parts)
        points.append((x, normal * scale * rate * cosh(rate * i)))
    total = sum(weight for _, weight in points)
    return [(x, weight / total) for x, weight in points]


def likelihood(cells, x):
    """The chance of the arm's and the control's rewards, given that each was one of the two's."""
    theta, value = exp(x), mpf(1)
    for control, arm, rewards_control, rewards_arm in cells:
        odds = mpf(arm) / mpf(control)
        value *= ((odds + 1) * theta / (odds * theta + 1)) ** rewards_arm
        value *= ((odds + 1) / (odds * theta + 1)) ** rewards_control
    return value


def limit(cells, bound, low, high):
    """Where the likelihood passes the bound; infinite where it does not."""
    f = lambda x: likelihood(cells, x) - bound
    if f(low) * f(high) > 0:
        return inf
    for _ in range(120):
        middle = (low + high) / 2
        low, high = (middle, high) if f(low) * f(middle) > 0 else (low, middle)
    return low


def mode(cells):
    low, high = mpf(-38), mpf(38)
    for _ in range(300):
        third = (high - low) / 3
        if likelihood(cells, low + third) < likelihood(cells, high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2


CASES = {
    "an even split": [(500_000, 500_000, 200, 240)],
    "no rewards yet": [(500_000, 500_000, 0, 0)],
    "one reward": [(500_000, 500_000, 0, 1)],
    "no reward of the control": [(200_000, 100_000, 0, 60)],
    "no reward of the arm": [(200_000, 100_000, 90, 0)],
    "a bandit that found its winner": [
        (500_000, 500_000, 2, 4), (200_000, 800_000, 9, 51), (200_000, 650_000, 12, 47), (200_000, 20_000, 30, 4),
        (200_000, 790_000, 55, 301),
    ],
    "a floor of one in a thousand": [(200_000, 1_000, 4_000, 24), (300_000, 1_000, 9_000, 31)],
    "a sale in which rates double": [(500_000, 500_000, 200, 210), (100_000, 900_000, 80, 790)],
    "worse than the control": [(200_000, 160_000, 400, 250), (200_000, 40_000, 410, 61)],
    "a small effect in much data": [(200_000, 300_000, 400_000, 612_000)],
    "beyond the grid": [(500_000, 500_000, 3, 60)],
}


def main():
    points = mixture([("0.02", "0.1"), ("0.1", "0.3"), ("0.2", "0.3"), ("0.4", "0.3")])
    typical = mixture([("0.1", "0.99"), ("0.5", "0.01")])
    for name, cells in CASES.items():
        terms = [(x, weight * likelihood(cells, x)) for x, weight in points]
        e_value = sum(term for _, term in terms)
        bound = e_value * mpf("0.05")
        top = mode(cells)
        lower, upper = limit(cells, bound, mpf(-40), top), limit(cells, bound, top, mpf(40))
        lower_lift = mpf(-1) if lower == inf else expm1(lower)
        upper_lift = inf if upper == inf else expm1(upper)
        posterior = [(x, weight * likelihood(cells, x)) for x, weight in typical]
        shrunken = expm1(sum(x * term for x, term in posterior) / sum(term for _, term in posterior))
        shrunken = min(max(shrunken, lower_lift), upper_lift)
        listed = "|".join("/".join(str(part) for part in cell) for cell in cells)
        figures = [log(e_value), lower_lift, upper_lift, shrunken]
        print(";".join([name, listed] + ["inf" if f == inf else nstr(f, 14) for f in figures]))


if __name__ == "__main__":
    main()
