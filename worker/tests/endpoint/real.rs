//! A server that nobody here wrote: llama-cpp-python's, with Handbill as GGUF.
//!
//! pip compiles it from source, eleven minutes of CPU on every new machine, which is too long for each `make test`. So
//! `make test-endpoint` installs it and demands this test; without it the test says on the terminal that it did not
//! run. Everything that can be shown by a mock is shown by one, in every run.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use api::wire::report::{Outcome, PlacementReport};
use rules::BrandRules;
use worker::destination::{Destination, Folder};

use crate::command::generate;
use crate::{KEY, handbill, mounted};

/// The server, as long as it is held.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts it with a model file and waits until it listens.
    fn start(python: &Path, model: &Path, log: &Path) -> Self {
        let port = free_port();
        let output = fs::File::create(log).expect("a log");
        let mut command = Command::new(python);
        command.args(["-m", "llama_cpp.server", "--host", "127.0.0.1", "--n_ctx", "512", "--n_threads", "1"]);
        command.args(["--port", &port.to_string(), "--api_key", KEY, "--model"]).arg(model);
        command.stdout(output.try_clone().expect("the log")).stderr(output).stdin(Stdio::null());
        let child = command.spawn().expect("python starts");
        let mut server = Self { child, url: format!("http://127.0.0.1:{port}") };
        server.wait(port, log);
        server
    }

    fn wait(&mut self, port: u16, log: &Path) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = self.child.try_wait().expect("a child of ours");
            let late = begun.elapsed() > Duration::from_secs(120);
            assert!(ended.is_none() && !late, "the server: {}", fs::read_to_string(log).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What has ended already cannot be killed, which is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The Python that `make test-endpoint` prepares.
fn python() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|it| !it.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let python = cache.join("broadside/endpoint/venv/bin/python");
    python.exists().then_some(python)
}

#[test]
fn a_server_that_nobody_here_wrote_delivers_copy_or_an_honest_shortfall() {
    let Some(python) = python() else {
        let demanded = std::env::var_os("BROADSIDE_TEST_ENDPOINT").is_some();
        assert!(!demanded, "llama-cpp-python is not installed: make test-endpoint");
        // Past the capture of the test harness, which would hide it.
        let note = "NOT RUN: generation against llama-cpp-python's server: make test-endpoint installs and runs it\n";
        std::io::stderr().write_all(note.as_bytes()).expect("a terminal or a file");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("handbill.gguf");
    handbill::write(&model);
    let log = folder.path().join("server.log");
    let server = Server::start(&python, &model, &log);

    let wrong = mounted(&[("url", &server.url), ("key", "wrong")]);
    let (outcome, report) = generate(folder.path(), wrong.path(), &[]);
    assert_eq!(outcome, Outcome::Misconfigured);
    assert!(report.message.expect("a message").contains("refuses the key (401"));

    let right = mounted(&[("url", &server.url), ("key", KEY)]);
    let (outcome, report) = generate(folder.path(), right.path(), &["--attempts", "20"]);
    let said = format!("{report:?}\n{}", fs::read_to_string(&log).unwrap_or_default());
    let missing: u32 = report.placements.iter().map(PlacementReport::missing).sum();
    assert_eq!(outcome, if missing == 0 { Outcome::Complete } else { Outcome::Shortfall }, "{said}");
    assert_eq!(report.model_digest.as_deref(), Some("endpoint:handbill"));
    let delivered = Folder::open(&folder.path().join("output")).and_then(|mut it| it.existing("cart"));
    let delivered = delivered.expect("variants");
    let hero = delivered.iter().filter(|it| it.placement == "hero").count();
    assert!(hero > 0 && hero == report.placements[0].delivered as usize, "{said}");
    let format = rules::format("WebBanner").expect("a format of ours");
    for variant in delivered.iter().filter(|it| it.placement == "hero") {
        let violations = rules::check(format, &BrandRules::default(), &variant.slots);
        assert!(!violations.iter().any(rules::Violation::is_hard), "{variant:?}");
    }
}
