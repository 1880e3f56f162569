//! Names as numbers, in the order in which they came.

use std::collections::BTreeMap;

/// Each name once.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    numbers: BTreeMap<String, usize>,
    list: Vec<String>,
}

impl Names {
    /// The number of `name`, the next one if it is new.
    pub(super) fn number(&mut self, name: &str) -> usize {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.list.len();
        self.numbers.insert(name.to_owned(), number);
        self.list.push(name.to_owned());
        number
    }

    pub(super) fn name(&self, number: usize) -> &str {
        &self.list[number]
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them for people, by name.
    pub(super) fn listed(&self) -> String {
        listed(&self.numbers.keys().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Names for people, the first ones where there are many.
pub(super) fn listed(names: &[&str]) -> String {
    /// Enough to see a typing error by.
    const MOST: usize = 12;
    match names.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{} and {more} more", names[..MOST].join(", ")),
        _ => names.join(", "),
    }
}
