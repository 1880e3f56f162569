//! Every statistical promise as a figure, beside the naive method in the same worlds.
//!
//! `make bench-experiment` prints them all; `ARGS="--rows 1,4 --scale 0.1"` some of them, in a tenth of the worlds and so
//! with wider errors. Seeds are fixed. `tests/acceptance.rs` holds a shorter form to the same bounds.

#![expect(clippy::print_stdout, reason = "figures are what this program is for")]
#![expect(clippy::disallowed_methods, reason = "the program has arguments; the crate has not")]
#![expect(clippy::disallowed_types, reason = "the program has a clock; the crate has not")]

#[path = "acceptance/mod.rs"]
mod acceptance;
#[path = "acceptance/timing.rs"]
mod timing;

use acceptance::rows;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |flag: &str| {
        arguments.iter().position(|argument| argument == flag).and_then(|at| arguments.get(at + 1))
    };
    let scale =
        after("--scale").map_or(1.0, |scale| scale.parse().expect("--scale takes a number such as 0.1"));
    let asked: Option<Vec<u32>> = after("--rows").map(|rows| {
        rows.split(',').map(|row| row.parse().expect("--rows takes numbers such as 1,4")).collect()
    });
    println!("{:<66} {:>9} {:>8} {:>9}   asked", "", "figure", "± s.e.", "naive");
    let mut missed = 0;
    for row in rows().into_iter().filter(|row| asked.as_ref().is_none_or(|asked| asked.contains(&row.number)))
    {
        println!("{}. {}", row.number, row.question);
        for line in (row.measure)(scale) {
            println!("{line}");
            missed += usize::from(!line.holds());
        }
    }
    if asked.is_none_or(|asked| asked.contains(&9)) {
        println!("9. Time");
        for line in timing::lines() {
            println!("{line}");
            missed += usize::from(!line.holds());
        }
    }
    println!("{missed} missed");
}
