//! Changes what is right until it may be wrong: bytes as they come, and JSON by its structure.

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

/// A source of changes. Equal seeds make equal changes.
pub(super) struct Mutator(Xoshiro256PlusPlus);

/// What parsers have stumbled over.
const ODD_BYTES: [&[u8]; 20] = [
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    b"\"",
    b"\\",
    b"{",
    b"[[[[",
    b"}",
    b"1e999",
    b"-0",
    b"\"subject\":\"\",",
    b"%ff",
    b"%",
    b"&&",
    b"?",
    b"..",
    b"\xf0\x9f\x98\x80",
];

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    pub(super) fn noise(&mut self, most: usize) -> Vec<u8> {
        let mut noise = vec![0; self.below(most + 1)];
        self.0.fill_bytes(&mut noise);
        noise
    }

    /// Changes bytes in one to four places.
    pub(super) fn bytes(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let from = self.below(bytes.len() + 1);
            let to = (from + self.below(8)).min(bytes.len());
            let new = match self.below(5) {
                0 => Vec::new(),
                1 => bytes[from..to].repeat(2),
                2 => self.noise(4),
                3 => bytes[from..to].iter().map(|byte| byte ^ 1 << self.below(8)).collect(),
                _ => self.pick(&ODD_BYTES).to_vec(),
            };
            bytes.splice(from..to, new);
        }
        if self.one_in(16) {
            bytes.truncate(self.below(bytes.len() + 1));
        }
    }

    /// Changes a text, which stays one.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.bytes(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Changes one to three nodes.
    pub(super) fn json(&mut self, value: &mut Value) {
        for _ in 0..=self.below(3) {
            let node = self.node(value);
            self.change(node);
        }
    }

    fn node<'v>(&mut self, value: &'v mut Value) -> &'v mut Value {
        let children = match &*value {
            Value::Object(fields) => fields.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        if children == 0 || self.one_in(6) {
            return value;
        }
        let child = self.below(children);
        let child = match value {
            Value::Object(fields) => fields.values_mut().nth(child),
            value => value.get_mut(child),
        };
        self.node(child.expect("it has so many"))
    }

    fn change(&mut self, node: &mut Value) {
        *node = match (self.below(6), node.take()) {
            (0, _) => self.odd(),
            (1, Value::Object(mut fields)) if !fields.is_empty() => {
                let name = fields.keys().nth(self.below(fields.len())).cloned().expect("it has so many");
                fields.remove(&name);
                Value::Object(fields)
            }
            (2, Value::Object(mut fields)) => {
                let name = self.pick(&["", "subject", "placements", "consent", "type", "at", "\u{0}", "who"]);
                fields.insert(name.to_owned(), self.odd());
                Value::Object(fields)
            }
            (1 | 2, Value::Array(items)) => Value::Array(vec![items; self.below(4)].concat()),
            (3, inner) => json!([inner]),
            (_, Value::String(text)) => Value::String(self.text(&text)),
            (_, Value::Number(number)) => json!(number.as_f64().map(|number| number * 1e18)),
            (_, inner) => inner,
        };
    }

    fn odd(&mut self) -> Value {
        match self.below(16) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(self.pick(&[0, -1, i64::MIN, i64::MAX])),
            3 => json!(u64::MAX),
            4 => json!(self.pick(&[0.5, -0.0, 1e308])),
            5 => json!(""),
            6 => json!("\u{0}\u{7f}\u{202e}"),
            7 => json!(self.pick(&["x", "😀", "é"]).repeat(self.below(3000))),
            8 => json!(self.pick(&[
                "9999-12-31T23:59:59Z",
                "-009999-01-02T01:59:59Z",
                "2026-02-30T00:00:00Z",
                "now"
            ])),
            9 => json!([]),
            10 => json!({}),
            11 => (0..self.below(200)).fold(Value::Null, |inner, _| json!([inner])),
            12 => json!(vec!["hero"; self.below(40)]),
            13 => json!({"measurement": self.pick(&[true, false])}),
            14 => json!(["hero", "control"]),
            _ => json!(String::from_utf8_lossy(&self.noise(64))),
        }
    }
}
