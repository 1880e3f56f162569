//! An answer in plain words, with bars.

use std::fmt::Write as _;

use super::device::Form;
use super::speed::{Bound, Speed};
use super::{Answer, Estimate, Obstacle};
use crate::args::Task;

/// Characters of a whole bar.
const BAR: u64 = 24;

/// An answer as people read it.
#[must_use]
pub fn text(answer: &Answer) -> String {
    let mut text = match answer.task {
        Task::Generate => format!("{} variants on {}, {} at once\n", answer.data, answer.device, answer.rows),
        Task::Train => {
            let steps = answer.data.div_ceil(answer.rows);
            format!("training on {} rows in {steps} steps, on {}\n", answer.data, answer.device)
        }
    };
    if answer.estimates.len() > 1 {
        text.push('\n');
        table(answer, &mut text);
    }
    let shown = answer.estimates.iter().find(|it| Some(&it.model) == answer.recommended.as_ref());
    let shown = shown.or(answer.estimates.first().filter(|_| answer.estimates.len() == 1));
    if let Some(shown) = shown {
        text.push('\n');
        memory(shown, &mut text);
        speed(shown, answer.data, &mut text);
    }
    if !answer.why.is_empty() {
        write!(text, "\n{}\n", answer.why.join("\n")).expect("text");
    }
    if !answer.manifest.is_empty() {
        let lines: String = answer.manifest.lines().map(|line| format!("  {line}\n")).collect();
        write!(text, "\nFor the AdModel:\n\nspec:\n{lines}").expect("text");
    }
    text
}

fn table(answer: &Answer, text: &mut String) {
    let line = |text: &mut String, cells: [&str; 7]| {
        let [model, parameters, weights, memory, speed, time, cost] = cells;
        let row =
            format!("{model:<18} {parameters:>10} {weights:<7} {memory:>9} {speed:>9} {time:>9}  {cost}");
        writeln!(text, "{}", row.trim_end()).expect("text");
    };
    line(text, ["  MODEL", "PARAMETERS", "WEIGHTS", "MEMORY", "TOKENS/S", "AT BEST", "COST"]);
    for it in &answer.estimates {
        let chosen = if Some(&it.model) == answer.recommended.as_ref() { "▶ " } else { "  " };
        let speed = it.speed.map_or_else(String::new, |speed| speed.tokens_per_second.to_string());
        let time = it.seconds.map_or_else(String::new, duration);
        let against = match it.obstacle {
            None => it.cost.clone().unwrap_or_default(),
            Some(Obstacle::Memory) => "does not fit".to_owned(),
            Some(Obstacle::Languages) => "not the languages".to_owned(),
            Some(Obstacle::Length) => "no room".to_owned(),
            Some(Obstacle::Time) => "too slow".to_owned(),
        };
        let (model, parameters) = (format!("{chosen}{}", it.model), count(it.parameters));
        line(text, [&model, &parameters, it.weights, &bytes(it.needed_bytes), &speed, &time, &against]);
    }
}

fn memory(shown: &Estimate, text: &mut String) {
    let parameters = grouped(shown.parameters);
    writeln!(text, "{} ({parameters} parameters) as {}", shown.model, shown.weights).expect("text");
    let whole = shown.needed_bytes.max(shown.available_bytes).max(1);
    for part in &shown.memory {
        let line = format!("  {:<14} {:>9}  {}", part.what, bytes(part.bytes), bar(part.bytes, whole));
        writeln!(text, "{}", line.trim_end()).expect("text");
    }
    let fits = if shown.needed_bytes <= shown.available_bytes { "it fits" } else { "it does not fit" };
    let (needed, available) = (bytes(shown.needed_bytes), bytes(shown.available_bytes));
    writeln!(text, "  {:<14} {needed:>9}  of {available} that it may take: {fits}", "needed").expect("text");
}

fn speed(shown: &Estimate, data: u64, text: &mut String) {
    let (Some(speed), Some(seconds)) = (shown.speed, shown.seconds) else { return };
    let cost = shown.cost.as_ref().map_or_else(String::new, |cost| format!(", {cost}"));
    let rate = grouped(speed.tokens_per_second);
    writeln!(text, "  at best {rate} tokens per second; {data} variants in {}{cost}", duration(seconds))
        .expect("text");
}

/// Why a model is recommended.
pub(super) fn chosen(chosen: &Estimate) -> String {
    format!("{} is the largest that fits, writes the languages and is done in time.", chosen.model)
}

/// What stands against a model, and what helps.
pub(super) fn obstacle(estimate: &Estimate, within: u64) -> String {
    let Estimate { model, weights, .. } = estimate;
    match estimate.obstacle {
        None => format!("{model} would do too."),
        Some(Obstacle::Memory) => {
            let (needed, available) = (bytes(estimate.needed_bytes), bytes(estimate.available_bytes));
            let largest = estimate.memory.iter().max_by_key(|part| part.bytes);
            let (what, most) = largest.map_or(("", 0), |part| (part.what, part.bytes));
            format!(
                "{model} as {weights} needs {needed} of {available}, most of it for {what} ({}).",
                bytes(most)
            )
        }
        Some(Obstacle::Languages) => {
            format!("{model} writes {} alone.", estimate.languages.join(", "))
        }
        Some(Obstacle::Length) => {
            format!("{model} has no room for prompt and text: shorten --prompt or --tokens.")
        }
        Some(Obstacle::Time) => {
            let seconds = duration(estimate.seconds.unwrap_or(0));
            format!(
                "{model} as {weights} takes {seconds} at best: give --within more than {}, or a quicker device.",
                duration(within)
            )
        }
    }
}

/// In which form a model has to be offered, so that the worker keeps it so.
pub(super) fn offered(chosen: &Estimate, form: Form) -> String {
    match form {
        Form::Q8 => "Set weights: Q8 in the AdModel's spec, or offer it as a GGUF file of q8: without either, weights of safetensors become 32-bit floats in the worker's pod.".to_owned(),
        _ => format!(
            "Offer it as a GGUF file of {}: weights of safetensors become 32-bit floats in the worker's pod.",
            chosen.weights
        ),
    }
}

/// What holds the device up, and what helps.
pub(super) fn bound(speed: Speed) -> String {
    match speed.bound {
        Bound::Weights => format!(
            "Reading the weights holds it up ({} % of what a step reads): smaller weights are quicker, and more rows at once too, since with {} a step takes at most twice as long as with one.",
            speed.weights_percent,
            grouped(speed.cheap_rows)
        ),
        Bound::KeysAndValues => format!(
            "Reading keys and values holds it up ({} % of what a step reads): shorter texts are quicker, more rows are not.",
            100 - speed.weights_percent
        ),
        Bound::Arithmetic => {
            "Multiplying holds it up: more rows are no quicker, more CPUs or a quicker GPU are.".to_owned()
        }
    }
}

fn bar(bytes: u64, whole: u64) -> String {
    let eighths = usize::try_from(u128::from(bytes) * u128::from(BAR) * 8 / u128::from(whole)).unwrap_or(0);
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    // What is there shows.
    let least = if eighths == 0 && bytes > 0 { "▏" } else { rest };
    "█".repeat(eighths / 8) + least
}

fn bytes(bytes: u64) -> String {
    match bytes as f64 / f64::from(1 << 20) {
        mebibytes if mebibytes >= 1024.0 => format!("{:.1} GiB", mebibytes / 1024.0),
        mebibytes => format!("{mebibytes:.1} MiB"),
    }
}

fn count(number: u64) -> String {
    match number as f64 {
        billions if billions >= 1e9 => format!("{:.1} B", billions / 1e9),
        millions => format!("{:.1} M", millions / 1e6),
    }
}

fn duration(seconds: u64) -> String {
    match seconds as f64 {
        days if days >= 172_800.0 => format!("{:.1} d", days / 86_400.0),
        hours if hours >= 7_200.0 => format!("{:.1} h", hours / 3_600.0),
        minutes if minutes >= 120.0 => format!("{:.0} min", minutes / 60.0),
        seconds => format!("{seconds:.0} s"),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!([0, 5 << 20, 16 << 30].map(bytes), ["0.0 MiB", "5.0 MiB", "16.0 GiB"]);
        assert_eq!([8_190_735_360, 596_049_920].map(count), ["8.2 B", "596.0 M"]);
        assert_eq!([43, 600, 9_000, 864_000].map(duration), ["43 s", "10 min", "2.5 h", "10.0 d"]);
        assert_eq!([7, 1_234, 8_190_735_360].map(grouped), ["7", "1,234", "8,190,735,360"]);
    }

    #[test]
    fn bars_are_exact_to_an_eighth_and_what_is_there_shows() {
        assert_eq!(
            [bar(0, 24), bar(1, 1 << 40), bar(12, 24)],
            [String::new(), "▏".to_owned(), "█".repeat(12)]
        );
        assert_eq!(bar(25, 48), "█".repeat(12) + "▌");
    }
}
