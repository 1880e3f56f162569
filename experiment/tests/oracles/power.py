"""Writes power.csv: the power of a planned look at two rates, from statsmodels.

    pip install -r requirements.txt && python3 power.py > power.csv

Each line: rate of the control; lift; level, two-sided; exposures of each of the two arms; power.
"""

from statsmodels.stats.proportion import power_proportions_2indep

CASES = [
    (0.02, 0.05, 0.05, 315_206),
    (0.02, 0.1, 0.05, 80_681),
    (0.02, 0.2, 0.05, 21_108),
    (0.01, 0.1, 0.05, 163_095),
    (0.02, 0.2, 0.05, 50_000),
    (0.02, 0.1, 0.05, 10_000),
    (0.02, 0.001, 0.05, 100),
    (0.3, -0.2, 0.1, 500),
    (0.001, 1.0, 0.01, 3_000),
    (0.5, 0.9, 0.001, 40),
    (0.02, -0.5, 0.05, 1_000_000),
]


def main():
    for rate, lift, alpha, size in CASES:
        power = power_proportions_2indep(rate * lift, rate, size, ratio=1, alpha=alpha).power
        print(f"{rate!r};{lift!r};{alpha!r};{size};{float(power)!r}")


if __name__ == "__main__":
    main()
