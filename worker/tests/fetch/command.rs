//! `worker fetch` as it is typed: what it leaves behind, how it ends, and what it logs.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use api::wire::report::Outcome;
use clap::Parser;
use tracing_subscriber::filter::LevelFilter;
use worker::args::Arguments;
use worker::run::{Reporter, run};

use crate::{COMMIT, TOKEN, server, weights};

/// All that is logged, of every part of the process and at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged from now on, for the whole process: what other tests log holds no secret either.
fn log() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    let begin = || {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
        subscriber.with_writer(move || writer.clone()).init();
        log
    };
    LOG.get_or_init(begin).clone()
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("a lock").clone()).expect("UTF-8")
    }
}

/// A folder as a pod has it.
struct Pod(tempfile::TempDir);

impl Pod {
    fn new(secret: &[(&str, &str)]) -> Self {
        let pod = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(pod.path("secret")).expect("made");
        for (name, text) in secret {
            fs::write(Path::new(&pod.path("secret")).join(name), text).expect("written");
        }
        pod
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Runs the command as a pod does; `hub` names the mirror or the Secret.
    fn run(&self, repo: &str, hub: &str) -> Outcome {
        let typed = [
            format!("--repo={repo}"),
            "--revision=main".to_owned(),
            format!("--into={}", self.path("cache")),
            format!("--link={}", self.path("current")),
            hub.to_owned(),
            format!("--report={}", self.path("report")),
        ];
        let typed = ["worker", "fetch"].into_iter().map(str::to_owned).chain(typed);
        let arguments = Arguments::try_parse_from(typed).expect("valid arguments");
        run(&arguments.command, &Reporter::of(&arguments.command))
    }

    fn report(&self) -> String {
        fs::read_to_string(self.path("report")).expect("a report")
    }
}

#[test]
fn the_command_leaves_a_link_or_a_report_and_logs_no_token() {
    let log = log();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(server(&weights()));
    server.shelf.lock().expect("a lock").needs_token = true;
    let pod = Pod::new(&[("url", &server.base), ("token", TOKEN)]);
    let secret = format!("--secret={}", pod.path("secret"));

    assert_eq!(pod.run("a/b", &secret), Outcome::Complete);
    assert_eq!(fs::read(pod.path("current/model.safetensors")).expect("read"), weights());
    assert!(!Path::new(&pod.path("report")).exists(), "of a model that is here the worker behind it speaks");

    assert_eq!(pod.run("a/missing", &secret), Outcome::Misconfigured);
    let report = pod.report();
    assert!(report.contains("does not exist (404): look at repo, revision and file"), "{report}");

    let log = log.text();
    let folder = Path::new(&pod.path("cache")).join("a--b").join(COMMIT);
    assert!(log.contains(&format!("the model is complete folder={}", folder.display())), "{log}");
    assert!(log.contains("TRACE"), "what libraries say is there too");
    assert!(!log.contains(TOKEN) && !report.contains(TOKEN));
}

#[test]
fn an_address_that_holds_a_password_is_refused_and_shown_nowhere() {
    let log = log();
    for address in ["https://me:hunter2@127.0.0.1:9", "ftp://me:hunter2@host", "https://me:hunter2@ho st"] {
        let pod = Pod::new(&[("url", address)]);
        for (hub, named) in [
            (format!("--mirror={address}"), "`--mirror` (spec.source.huggingFace.mirror of the AdModel)"),
            (format!("--secret={}", pod.path("secret")), "`url` (`broadside-hub-url` of the Secret)"),
        ] {
            assert_eq!(pod.run("a/b", &hub), Outcome::Misconfigured, "{hub}");
            let report = pod.report();
            assert!(report.contains(named) && !report.contains("hunter2"), "{report}");
        }
    }
    assert!(!log.text().contains("hunter2"));
}
