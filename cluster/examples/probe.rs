//! A small program to try a cluster with: it is fully static, so that an image needs nothing else.
//!
//! - `probe say TEXT` prints a line.
//! - `probe serve PORT TEXT` says a text to everybody who connects.
//! - `probe hear NAME:PORT` prints what a server there says.
//! - `probe reach NAME:PORT` says `reached` once it is connected.
//! - `probe write FILE TEXT` writes a file and reads it back.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["say", text] => say(text),
        ["hear", address] => say(&hear(address)?),
        ["reach", address] => TcpStream::connect(address).and_then(|_| say("reached")),
        ["serve", port, text] => serve(port, text),
        ["write", file, text] => {
            std::fs::write(file, text).and_then(|()| say(&std::fs::read_to_string(file)?))
        }
        _ => Err(io::Error::other(
            "say TEXT | serve PORT TEXT | hear NAME:PORT | reach NAME:PORT | write FILE TEXT",
        )),
    }
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

fn hear(address: &str) -> io::Result<String> {
    let mut text = String::new();
    TcpStream::connect(address)?.read_to_string(&mut text)?;
    Ok(text)
}

fn serve(port: &str, text: &str) -> io::Result<()> {
    let listener = TcpListener::bind(format!("0.0.0.0:{port}"))?;
    listener.incoming().try_for_each(|stream| stream?.write_all(text.as_bytes()))
}
