"""Cells as `cells.rs` reads them."""

from typing import NamedTuple


class Cell(NamedTuple):
    """One round in one segment. Lists are by arm, the control first; shares are parts per million."""

    shares: list
    exposures: list
    rewards: list
    #: Of 0/1 rewards their sum, if left out.
    squares: list | None = None
    decisions: list | None = None
    segment: int = 0


def written(cells):
    """`segment/shares/exposures/rewards/squares/decisions`, cells apart by `|`; the last two are empty where unknown."""

    def listed(numbers):
        return ",".join(repr(number) for number in numbers or [])

    return "|".join(
        "/".join(
            [str(cell.segment)]
            + [listed(part) for part in (cell.shares, cell.exposures, cell.rewards, cell.squares, cell.decisions)]
        )
        for cell in cells
    )


def evenly(arms):
    """Equal shares, of which the first arms have what division leaves over."""
    return [1_000_000 // arms + (arm < 1_000_000 % arms) for arm in range(arms)]


def pairs(cells, arm):
    """What both the control and `arm` saw: (share of the control, of the arm, rewards of the control, of the arm)."""
    return [
        (cell.shares[0], cell.shares[arm], cell.rewards[0], cell.rewards[arm])
        for cell in cells
        if cell.shares[0] > 0 and cell.shares[arm] > 0
    ]
