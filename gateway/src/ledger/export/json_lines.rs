//! An object of JSON on each line.

use std::io::{BufWriter, Result, Write};

use super::{Line, Sink};

pub(super) struct JsonLines<W: Write>(BufWriter<W>);

impl<W: Write> JsonLines<W> {
    pub(super) fn new(to: W) -> Self {
        Self(BufWriter::new(to))
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn write(&mut self, line: &Line<'_>) -> Result<()> {
        serde_json::to_writer(&mut self.0, line)?;
        self.0.write_all(b"\n")
    }

    fn finish(&mut self) -> Result<()> {
        self.0.flush()
    }
}
