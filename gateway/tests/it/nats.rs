//! A real nats-server.
//!
//! `make test` builds it where there is Go; without it a test says on the terminal that it did not run.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server that syncs each message before it says that it has it.
pub(crate) struct Nats {
    child: Child,
    program: PathBuf,
    config: PathBuf,
    pub(crate) url: String,
}

/// Where a server listens for clients, and for its like.
struct Ports {
    clients: u16,
    servers: u16,
}

impl Ports {
    /// Free now; the server is on them before anybody else asks.
    fn free() -> Self {
        let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { clients: port(), servers: port() }
    }
}

impl Nats {
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let program = program()?;
        Some(Self::with(program, folder, &Ports::free(), ""))
    }

    /// Three that keep the same.
    pub(crate) fn three(folder: &Path) -> Option<Vec<Self>> {
        let program = program()?;
        let ports = [Ports::free(), Ports::free(), Ports::free()];
        let routes: Vec<String> =
            ports.iter().map(|ports| format!("\"nats://127.0.0.1:{}\"", ports.servers)).collect();
        let start = |(number, ports): (usize, &Ports)| {
            let cluster = format!(
                "server_name: n{number}\ncluster {{ name: three, listen: \"127.0.0.1:{}\", routes: [{}] }}\n",
                ports.servers,
                routes.join(", ")
            );
            let folder = folder.join(format!("n{number}"));
            std::fs::create_dir(&folder).unwrap();
            Self::with(program.clone(), &folder, ports, &cluster)
        };
        Some(ports.iter().enumerate().map(start).collect())
    }

    fn with(program: PathBuf, folder: &Path, ports: &Ports, cluster: &str) -> Self {
        let (config, store) = (folder.join("nats.conf"), folder.join("nats"));
        let text = format!(
            "listen: \"127.0.0.1:{}\"\n{cluster}jetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
            ports.clients,
            store.display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Self::run(&program, &config);
        Self { child, program, config, url: format!("nats://127.0.0.1:{}", ports.clients) }
    }

    fn run(program: &Path, config: &Path) -> Child {
        Command::new(program).arg("-c").arg(config).stderr(Stdio::null()).spawn().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn again(&mut self) {
        self.child = Self::run(&self.program, &self.config);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|it| !it.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let program = cache.join("broadside/nats/static/nats-server");
    if program.exists() {
        return Some(program);
    }
    // Past the capture of the test harness, which would hide it.
    let note = "NOT RUN: the gateway with a real nats-server: make nats-server builds it\n";
    std::io::stderr().write_all(note.as_bytes()).unwrap();
    None
}
