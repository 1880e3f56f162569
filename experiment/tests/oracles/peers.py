"""Prints how peers answer what our any-time and planned intervals answer, on the same data. Nothing of it is a test.

    pip install -r requirements-peers.txt && python3 peers.py

First, whether the delta method of intervals.csv is that of gbstats. Then the 95 % limits of the lift on even splits:

    planned    ours for one planned look, which does not allow for looking at any time as the others do
    any time   ours (rate_ratio.py)
    confseq    the Beta-binomial mixture of Howard, Ramdas, McAuliffe & Sekhon on "which arm has the next reward", with its
               power spent at 400 rewards: the same question as ours, with another mixture
    mSPRT      Robbins' normal mixture on the difference of the rates with a standard deviation of a tenth of the control's
               rate, divided by that rate (Johari, Koomen, Pekelis & Walsh)
    gbstats    the asymptotic confidence sequence of Waudby-Smith and others on the delta-method lift, tuned to 5 000
               exposures as it comes

confseq has to be compiled, with the headers that requirements-peers.txt brings:

    BOOST_ROOT=$(python3 -c 'import boost_headers, pathlib; print(pathlib.Path(boost_headers.__file__).parent)')
    BOOST_ROOT=$BOOST_ROOT CPLUS_INCLUDE_PATH=$BOOST_ROOT/include pip install --no-build-isolation --no-deps confseq==0.0.11

Without it its column stays empty.
"""

import math
from pathlib import Path

from gbstats.frequentist.tests import FrequentistConfig, SequentialConfig, SequentialTwoSidedTTest, TwoSidedTTest
from gbstats.models.statistics import ProportionStatistic
from mpmath import expm1, mpf

from rate_ratio import likelihood, limit, mixture, mode

try:
    from confseq.boundaries import bernoulli_confidence_interval
except ImportError:
    bernoulli_confidence_interval = None

POINTS = mixture([("0.02", "0.1"), ("0.1", "0.3"), ("0.2", "0.3"), ("0.4", "0.3")])
ALPHA = 0.05


def of_gbstats(test, config, counts):
    (n0, s0), (n, s) = counts
    return test(ProportionStatistic(n=n0, sum=s0), ProportionStatistic(n=n, sum=s), config).compute_result().ci


def delta_method():
    """The largest distance of intervals.csv from gbstats, in parts of the width, and how many lines were compared."""
    worst, compared = 0.0, 0
    for line in (Path(__file__).parent / "intervals.csv").read_text().splitlines():
        _, confidence, _, cells, _, *figures = line.split(";")
        low, high = map(float, figures[-2:])
        if len(figures) == 21 and not math.isnan(low):
            exposures, rewards = ([int(part) for part in listed.split(",")] for listed in cells.split("/")[2:4])
            config = FrequentistConfig(alpha=1 - float(confidence))
            theirs = of_gbstats(TwoSidedTTest, config, list(zip(exposures, rewards)))
            worst = max([worst] + [abs(x - y) / (high - low) for x, y in zip(theirs, (low, high))])
            compared += 1
    return worst, compared


def ours(counts):
    (_, s0), (_, s) = counts
    both = [(500_000, 500_000, s0, s)]
    bound = sum(weight * likelihood(both, x) for x, weight in POINTS) * ALPHA
    top = mode(both)
    return float(expm1(limit(both, bound, mpf(-40), top))), float(expm1(limit(both, bound, top, mpf(40))))


def planned(counts):
    """MOVER-R of Wilson limits."""
    z = 1.959963984540054

    def wilson(n, s):
        middle, half = (s + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(s * (n - s) / n + z * z / 4)
        return s / n, middle - half, middle + half

    (b, b_low, b_high), (a, a_low, a_high) = (wilson(n, s) for n, s in counts)
    lower, upper = ((own * (2 * a - own), other * (2 * b - other)) for own, other in ((a_low, b_high), (a_high, b_low)))
    ratios = (a * b - math.sqrt((a * b) ** 2 - lower[0] * lower[1])) / lower[1], (
        a * b + math.sqrt((a * b) ** 2 - upper[0] * upper[1])
    ) / upper[1]
    return ratios[0] - 1, ratios[1] - 1


def of_confseq(counts):
    if bernoulli_confidence_interval is None:
        return None
    (_, s0), (_, s) = counts
    return [p / (1 - p) - 1 for p in bernoulli_confidence_interval(s, s + s0, ALPHA, 400)]


def msprt(counts):
    (n0, s0), (n, s) = counts
    m0, m = s0 / n0, s / n
    v, tau2 = m0 * (1 - m0) / n0 + m * (1 - m) / n, (0.1 * m0) ** 2
    half = math.sqrt(2 * v * (v + tau2) / tau2 * (math.log(1 / ALPHA) + math.log((v + tau2) / v) / 2))
    return (m - m0 - half) / m0, (m - m0 + half) / m0


DATA = [
    ((5_000, 100), (5_000, 110)),
    ((20_000, 400), (20_000, 480)),
    ((50_000, 1_000), (50_000, 1_100)),
    ((200_000, 4_000), (200_000, 4_100)),
    ((1_000_000, 20_000), (1_000_000, 20_600)),
    ((3_000, 3), (3_000, 12)),
]


def main():
    worst, compared = delta_method()
    print(
        f"intervals.csv and gbstats: {compared} delta-method intervals differ by at most {worst:.1e} of their width\n"
    )
    answers = {
        "planned": planned,
        "any time": ours,
        "confseq": of_confseq,
        "mSPRT": msprt,
        "gbstats": lambda counts: of_gbstats(SequentialTwoSidedTTest, SequentialConfig(alpha=ALPHA), counts),
    }
    print(f"{'rewards of exposures':40}" + "".join(f"{name:>22}" for name in answers))
    for counts in DATA:
        (n0, s0), (n, s) = counts
        limits = [answer(counts) for answer in answers.values()]
        shown = [f"{100 * pair[0]:+.1f} % {100 * pair[1]:+.1f} %" if pair is not None else "-" for pair in limits]
        print(f"{f'{s} of {n} against {s0} of {n0}':40}" + "".join(f"{text:>22}" for text in shown))


if __name__ == "__main__":
    main()
