//! Cells and metrics as oracles write them. A cell is `segment/shares/exposures/rewards/squares/decisions`, lists by arm,
//! cells apart by `|` (`cells.py`).

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use std::fmt::Debug;
use std::str::FromStr;

use experiment::{Allocation, Cell, Direction, Kind, Metric, PartsPerMillion, Totals};

pub(crate) fn metric(kind: &str, direction: &str) -> Metric {
    let kind = match kind {
        "binary" => Kind::Binary,
        "value" => Kind::Value { cap: None },
        _ => panic!("not a kind: {kind}"),
    };
    let direction = match direction {
        "maximize" => Direction::Maximize,
        "minimize" => Direction::Minimize,
        _ => panic!("not a direction: {direction}"),
    };
    Metric { kind, direction }
}

pub(crate) fn cells(text: &str) -> Vec<Cell> {
    text.split('|').map(cell).collect()
}

fn cell(text: &str) -> Cell {
    let fields: Vec<&str> = text.split('/').collect();
    let [segment, shares, exposures, rewards, squares, decisions] = fields[..] else {
        panic!("not a cell: {text}")
    };
    let rewards = list::<f64>(rewards);
    let squares = if squares.is_empty() { rewards.clone() } else { list(squares) };
    let totals = list(exposures).into_iter().zip(rewards).zip(squares);
    let totals =
        totals.map(|((exposures, rewards), squared_rewards)| Totals { exposures, rewards, squared_rewards });
    let shares: Vec<PartsPerMillion> =
        list(shares).into_iter().map(|parts| PartsPerMillion::new(parts).unwrap()).collect();
    let cell = Cell::new(Allocation::try_from(shares).unwrap(), totals.collect()).unwrap();
    let cell = cell.in_segment(segment.parse().unwrap());
    if decisions.is_empty() { cell } else { cell.with_decisions(list(decisions)).unwrap() }
}

fn list<T: FromStr<Err: Debug>>(text: &str) -> Vec<T> {
    text.split(',').map(|number| number.parse().unwrap()).collect()
}
