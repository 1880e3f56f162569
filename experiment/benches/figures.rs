//! Draws the figures of `docs/statistics.md` from simulated worlds.
//!
//! `make figures` writes `docs/figures/*.svg`, and prints what each of them shows in words. Seeds are fixed, so on the same
//! build the files come out the same.

#![expect(clippy::print_stdout, reason = "what a figure shows is also told in words")]
#![expect(clippy::disallowed_methods, reason = "figures are files; the crate writes none")]

#[path = "figures/mod.rs"]
mod figures;

use std::path::Path;

use figures::{Figure, figures};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/figures");
    std::fs::create_dir_all(&folder)?;
    for Figure { name, draw } in figures() {
        let drawing = draw();
        std::fs::write(folder.join(name), drawing.svg())?;
        println!("docs/figures/{name}: {}", drawing.told());
    }
    Ok(())
}
