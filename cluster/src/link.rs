//! Joins a cluster's network namespace to the host by one pair of virtual interfaces.
//!
//! Everything here disappears with the namespace: the kernel removes both ends, and the host's routes with its end.

use std::net::Ipv4Addr;
use std::process::{Command, Output};

use nix::unistd::Pid;

use crate::Error;
use crate::network::Range;

/// Takes a free range for the namespaces of process `inside` and makes its addresses reachable from the host.
pub(crate) fn join(inside: Pid) -> Result<Range, Error> {
    for range in Range::all() {
        if is_free(range)? && take(range, inside)? {
            set_up(range, inside)?;
            return Ok(range);
        }
    }
    Err(Error::NoRange(Range::COUNT))
}

/// Whether nobody, ourselves or a stranger, has a route into the range.
fn is_free(range: Range) -> Result<bool, Error> {
    let routes =
        checked(Command::new("ip").args(["-4", "route", "show", "table", "all", "root", &range.whole()]))?;
    Ok(routes.stdout.is_empty())
}

/// Creates the pair, with the far end inside. False if somebody else was quicker: an interface's name is unique, so
/// that its creation is the lock on the range.
fn take(range: Range, inside: Pid) -> Result<bool, Error> {
    let mut command = Command::new("ip");
    command.args(["link", "add", &range.interface(), "type", "veth", "peer", "name", "eth0"]);
    command.args(["netns", &inside.to_string()]);
    let output = run(&mut command)?;
    if output.status.success() {
        return Ok(true);
    }
    match String::from_utf8_lossy(&output.stderr).contains("File exists") {
        true => Ok(false),
        false => Err(failed(&command, &output)),
    }
}

fn set_up(range: Range, inside: Pid) -> Result<(), Error> {
    let [host, node] = [range.host(), range.node()].map(|address| address.to_string());
    let (near, services, pods) = (range.interface(), range.services(), range.pods());
    on_host(&["addr", "add", &format!("{host}/30"), "dev", &near])?;
    on_host(&["link", "set", &near, "up"])?;
    within(inside, &["link", "set", "lo", "up"])?;
    within(inside, &["addr", "add", &format!("{node}/30"), "dev", "eth0"])?;
    within(inside, &["link", "set", "eth0", "up"])?;
    // Processes of the node need a route to services for the kernel to begin with; kube-proxy then rewrites the
    // address. There is no default route: what is meant for elsewhere fails at once.
    within(inside, &["route", "add", &services, "via", &host])?;
    on_host(&["route", "add", &services, "via", &node])?;
    on_host(&["route", "add", &pods, "via", &node])
}

/// Removes the cable of the node with this address, if it is there.
pub(crate) fn remove(node: Ipv4Addr) {
    if let Some(range) = Range::all().find(|range| range.node() == node) {
        // Without it the kernel removes the cable with the namespace, only later.
        let _ = on_host(&["link", "delete", &range.interface()]);
    }
}

fn on_host(words: &[&str]) -> Result<(), Error> {
    checked(Command::new("ip").args(words)).map(drop)
}

fn within(inside: Pid, words: &[&str]) -> Result<(), Error> {
    let namespace = format!("--net=/proc/{inside}/ns/net");
    checked(Command::new("nsenter").args([&namespace, "ip"]).args(words)).map(drop)
}

fn checked(command: &mut Command) -> Result<Output, Error> {
    let output = run(command)?;
    if output.status.success() {
        return Ok(output);
    }
    Err(failed(command, &output))
}

fn run(command: &mut Command) -> Result<Output, Error> {
    Ok(command.output()?)
}

fn failed(command: &Command, output: &Output) -> Error {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Error::Command { command: words.join(" "), message }
}
