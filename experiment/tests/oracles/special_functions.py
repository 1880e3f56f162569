"""Writes special_functions.csv: incomplete beta functions, normal tails and their inverses at 60 digits.

    pip install -r requirements.txt && python3 special_functions.py > special_functions.csv

I_x(a, b) is the series of DLMF 8.17.8, whose terms are all positive and which the Rust code doesn't use. Where that is
affordable the series of DLMF 8.17.7 must say the same, and for some shapes the integral of the density.

The lines, whose arguments are exactly the doubles written:

    name;beta;a;b;x;I_x(a, b);1 - I_x(a, b);p;the x with I_x(a, b) = p      (the last two are empty for p near 0 or 1)
    name;normal;z;cdf(z);p;quantile(p)

It takes a minute or two.
"""

import itertools
import math
import random

from mpmath import erfc, exp, fabs, log, loggamma, mp, mpf, nstr, pi, quad, sqrt

DIGITS = 60
mp.dps = DIGITS


def by_rising_terms(a, b, x):
    """Both tails by DLMF 8.17.8, which is short for x up to one half."""
    # Above the mean the upper tail is a small difference, down to 1e-300.
    with mp.workdps(DIGITS + (310 if a * (1 - x) < b * x else 10)):
        term, total, n = mpf(1), mpf(1), 0
        while term > mp.eps * total:
            n += 1
            term *= x * (a + b + n - 1) / (a + n)
            total += term
        lower = density_times_xy(a, b, x) / a * total
        return lower, 1 - lower


def by_powers(a, b, x):
    """I_x(a, b) by DLMF 8.17.7, with as many more digits as its terms cancel."""
    with mp.workdps(DIGITS + 10 + int(2 * b * x / math.log(10))):
        power, total, n = mpf(1), 1 / a, 0
        while power != 0 and (n < b * x or fabs(power) > mp.eps * fabs(total)):
            n += 1
            power *= (n - b) * x / n
            total += power / (a + n)
        return exp(a * log(x) - log_beta(a, b)) * total


def by_quadrature(a, b, x):
    """I_x(a, b) as an integral over the logarithm of the rate."""
    steps = [u / a for u in (0, 1, 3, 10, 30, 100, 300, 1500)]
    return quad(lambda u: exp(a * (log(x) - u) + (b - 1) * log(1 - x * exp(-u)) - log_beta(a, b)), steps)


def tails(a, b, x):
    """I_x(a, b) and 1 - I_x(a, b)."""
    if x > 0.5:
        return tails(b, a, 1 - x)[::-1]
    lower, upper = by_rising_terms(a, b, x)
    assert b * x > 60 or fabs(by_powers(a, b, x) / lower - 1) < mpf(10) ** -40, (a, b, x, lower)
    return lower, upper


def log_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def density_times_xy(a, b, x):
    return exp(a * log(x) + b * log(1 - x) - log_beta(a, b))


def quantile(a, b, p, x, both):
    """Newton's method in log odds from x, whose tails are known and close."""
    for _ in range(40):
        lower, upper = both
        # The logarithm of the smaller tail is nearly straight: what is missing there is squared by each step.
        missing, share = (log(p / lower), lower) if p < 0.5 else (-log((1 - p) / upper), upper)
        odds = x / (1 - x) * exp(missing * share / density_times_xy(a, b, x))
        x = odds / (1 + odds)
        if fabs(missing) < mpf(10) ** -12:
            return x
        both = tails(a, b, x)
    raise ArithmeticError(f"no quantile of Beta({a}, {b}) for {p}")


def cdf(z):
    return erfc(-z / sqrt(2)) / 2


def normal_quantile(p):
    if p > 0.5:
        return -normal_quantile(1 - p)
    z = mpf(0) if p > 1e-3 else -sqrt(-2 * log(p))
    for _ in range(100):
        step = log(p / cdf(z)) * cdf(z) * sqrt(2 * pi) * exp(z * z / 2)
        z += step
        if fabs(step) < mpf(10) ** -40:
            return z
    raise ArithmeticError(f"no normal quantile for {p}")


def place(a, b, deviations):
    """An x so many standard deviations of the log odds from their mode."""
    log_odds = math.log(a / b) + deviations * math.sqrt(1 / a + 1 / b)
    return 1 / (1 + math.exp(-log_odds)) if abs(log_odds) < 700 else None


TINY = [0.001, 0.01, 0.3]
SMALL = [0.9, 1.0, 1.5, 4.0, 9.99]
LARGE = [10.0, 37.5, 300.0, 20_001.0, 2e6]
INTEGRATED = [(0.3, 0.9, 0.2), (1, 7.5, 0.1), (20.5, 30.25, 0.4), (300, 1000, 0.2), (1e4, 2e4, 0.32), (2, 1e5, 1e-5)]
PLACES = [-31.0, -9.0, -3.0, -1.0, -0.1, 0.0, 0.4, 2.0, 5.0, 14.0, 30.0]


def cases():
    """Name, a, b and x."""
    yield "where statrs is worst", 211_224.0, 1_270_105.0, 0.14265
    for x in (1e-300, 0.1, 0.5, 1 - 2.0**-53):
        yield "the uniform distribution", 1.0, 1.0, x
    for a in TINY:
        for b in TINY + [1.0, 8.0, 1e4, 2e6]:
            for x in (1e-280, 1e-100, 1e-20, 1e-8, 4e-7, 5e-7, 6e-7, 1e-4, 0.05, 0.3, 0.5, 0.7, 0.999):
                yield "a tiny shape", a, b, x
    for number, (a, b) in enumerate(itertools.product(SMALL + LARGE, SMALL + LARGE)):
        for deviations in PLACES[number % 2 :: 2]:
            yield "a grid", a, b, place(a, b, deviations)
    for a in LARGE + SMALL:
        for b in TINY:
            for y in (1e-12, 5e-7, 0.01, 0.2, 0.5, 0.9):
                yield "a tiny second shape", a, b, 1 - y
    for deviations in (-34, -30, -21, -12, -7, -4, -2, -1, -0.01, 0, 1, 3, 8, 16, 27, 34):
        yield "two million each", 2e6, 2e6, place(2e6, 2e6, deviations)
        yield "one in a thousand", 2e3, 2e6, place(2e3, 2e6, deviations)
    for a in (1.0, 2.0, 21.0):
        for rate in (1e-9, 1e-7, 5e-7, 1e-6, 1e-5, 1e-4, 2e-4):
            yield "a rare event", a, 2e6 + 1 - a, rate
    drawn = random.Random(20261201)
    for _ in range(200):
        a, b = (10 ** drawn.uniform(-3, 6.3) for _ in range(2))
        yield "drawn", a, b, place(a, b, drawn.choice([2, 10, 36]) * drawn.uniform(-1, 1))
    for a, b in [(1e9, 1e9), (1e9, 3.0), (2e7, 1e9), (1e3, 1e9), (3e4, 1e9), (1e9, 40.0), (0.001, 1e9)]:
        for deviations in (-30.0, -4.0, -0.5, 1.0, 25.0):
            yield "a billion", a, b, place(a, b, deviations)


def is_far_out(a, b, x):
    """Whether the density has fallen by e^-720, so that one tail is below every double."""
    return a * math.log(a / (a + b) / x) + b * math.log1p((x - a / (a + b)) / (1 - x)) > 720


def beta_line(name, a, b, x):
    exact_a, exact_b = mpf(a), mpf(b)
    lower, upper = both = tails(exact_a, exact_b, mpf(x))
    p = float(lower)
    found = nstr(quantile(exact_a, exact_b, mpf(p), mpf(x), both), 20) if 1e-300 < p < 1 else ""
    return [name, "beta", repr(a), repr(b), repr(x), nstr(lower, 20), nstr(upper, 20), repr(p) if found else "", found]


def normal_line(z, p):
    below, found = nstr(cdf(mpf(z)), 20), nstr(normal_quantile(mpf(p)), 20)
    return ["the normal distribution", "normal", repr(z), below, repr(p), found]


def main():
    for shapes in INTEGRATED:
        a, b, x = map(mpf, shapes)
        assert fabs(by_quadrature(a, b, x) / tails(a, b, x)[0] - 1) < mpf(10) ** -25, shapes
    for name, a, b, x in cases():
        if x is not None and 0 < x < 1 and not is_far_out(a, b, x):
            print(";".join(beta_line(name, a, b, x)), flush=True)
    for z in range(-75, 16):
        print(";".join(normal_line(z / 2 + 0.01, 10.0 ** (4 * z) if z < 0 else 1 - 10.0**-z / 2)))
    for p in (1e-300, 1e-17, 0.01, 0.025, 0.25, 0.4999, 0.5 - 1e-9, 0.5 + 1e-9, 0.6, 0.975, 1 - 1e-9):
        print(";".join(normal_line(float(p) - 0.5, p)))


main()
