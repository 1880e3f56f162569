//! A page in a real browser, driven by Chromium's own protocol: <https://chromedevtools.github.io/devtools-protocol/>.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::applications::not_run;

/// What is looked for, in this order: Debian's, Google's, and that of others.
const NAMES: [&str; 4] = ["chromium", "google-chrome", "chromium-browser", "chrome"];

/// A machine of two cores that builds at the same time is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser of its own with one page.
pub(crate) struct Page {
    socket: WebSocketStream<TcpStream>,
    session: String,
    target: String,
    calls: u64,
    browser: Child,
    _profile: tempfile::TempDir,
}

impl Page {
    /// An empty page, or nothing where there is no browser, which the terminal is told.
    pub(crate) async fn open() -> Option<Self> {
        let Some(program) = NAMES.into_iter().find(|name| is_there(name)) else {
            not_run("the clients in a browser");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut browser = start(program, profile.path());
        let log = BufReader::new(browser.stderr.take().unwrap());
        let address = tokio::task::spawn_blocking(move || address(log)).await.unwrap();
        let host = address.strip_prefix("ws://").unwrap().split('/').next().unwrap();
        let stream = TcpStream::connect(host).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(&address, stream).await.unwrap();
        let (session, target) = (String::new(), String::new());
        let mut page = Self { socket, session, target, calls: 0, browser, _profile: profile };
        let opened = page.ask_browser("Target.createTarget", json!({"url": "about:blank"})).await;
        page.target = text(&opened["targetId"]);
        let attach = json!({"targetId": page.target, "flatten": true});
        page.session = text(&page.ask_browser("Target.attachToTarget", attach).await["sessionId"]);
        page.call("Page.enable", json!({})).await;
        Some(page)
    }

    /// Has every page begin with that script.
    pub(crate) async fn begin_with(&mut self, script: &str) {
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": script})).await;
    }

    pub(crate) async fn go(&mut self, url: &str) {
        let went = self.call("Page.navigate", json!({"url": url})).await;
        assert_eq!(went.get("errorText"), None, "{url}");
        self.until("document.readyState == 'complete'").await;
    }

    /// The value of an expression, awaited where it is a promise.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", parameters).await;
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        let wait = async {
            while self.evaluate(expression).await != json!(true) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {expression}"));
    }

    /// Scrolls an element into view.
    pub(crate) async fn scroll_to(&mut self, selector: &str) {
        self.evaluate(&format!(
            "document.querySelector('{selector}').scrollIntoView({{behavior: 'instant'}})"
        ))
        .await;
    }

    /// Clicks as a person does, on what is in view there.
    pub(crate) async fn click(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const {{x, y, width, height}} = document.querySelector('{selector}').getBoundingClientRect();
                return {{x: x + width / 2, y: y + height / 2}}; }})()"
        );
        let middle = self.evaluate(&middle).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": middle["x"], "y": middle["y"], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Shows another page in front of it, as a person who changes to another tab.
    pub(crate) async fn cover(&mut self) {
        self.ask_browser("Target.createTarget", json!({"url": "about:blank"})).await;
        self.until("document.hidden").await;
    }

    /// Brings it to the front again.
    pub(crate) async fn uncover(&mut self) {
        self.call("Page.bringToFront", json!({})).await;
        self.until("!document.hidden").await;
    }

    /// Closes the page as a person does. The browser goes on.
    pub(crate) async fn close(&mut self) {
        let target = json!({"targetId": self.target});
        self.ask_browser("Target.closeTarget", target).await;
    }

    /// Has the page do something.
    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        let call = json!({"method": method, "params": parameters, "sessionId": self.session});
        self.send(call).await
    }

    /// Has the browser do something.
    async fn ask_browser(&mut self, method: &str, parameters: Value) -> Value {
        self.send(json!({"method": method, "params": parameters})).await
    }

    async fn send(&mut self, mut call: Value) -> Value {
        self.calls += 1;
        call["id"] = json!(self.calls);
        self.socket.send(Message::text(call.to_string())).await.unwrap();
        let answered = tokio::time::timeout(PATIENCE, self.answer(self.calls)).await;
        let mut answer = answered.unwrap_or_else(|_| panic!("no answer to {call}"));
        assert_eq!(answer.get("error"), None, "{call}");
        answer["result"].take()
    }

    /// The answer to a call. What the browser tells besides is passed over.
    async fn answer(&mut self, call: u64) -> Value {
        loop {
            let message = self.socket.next().await.expect("the browser goes on").unwrap();
            let message: Value = serde_json::from_str(message.to_text().unwrap_or("{}")).unwrap_or_default();
            if message["id"] == json!(call) {
                return message;
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn start(program: &str, profile: &std::path::Path) -> Child {
    let mut command = Command::new(program);
    command.args(["--headless=new", "--remote-debugging-port=0", "--window-size=1000,800", "about:blank"]);
    // Nobody sits at it, and it would say so.
    command.arg(
        "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
    );
    // Root has no sandbox, and a container little shared memory. The pages are ours.
    command.args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]);
    // A browser's own errands, and a guard for those that we did not think of: only this machine has a name.
    command.args([
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]);
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1");
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads the log until it tells the address, and goes on reading so that the browser never waits for us.
fn address(log: impl BufRead + Send + 'static) -> String {
    let mut lines = log.lines().map_while(Result::ok);
    let listening = lines.find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned));
    std::thread::spawn(move || lines.for_each(drop));
    listening.expect("the browser says where it listens before it ends")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
