//! The program, started and killed.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use mcp_auth_testkit::Client;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A running copy of the example. It is killed when this is dropped.
pub(crate) struct Server {
    pub(crate) client: Client,
    child: Child,
    settings: Vec<(&'static str, String)>,
}

impl Server {
    /// Starts a copy on a port that is free now, with its state in this database file.
    pub(crate) async fn on_sqlite(file: &Path) -> Self {
        Self::with(vec![("MCP_DATA", file.display().to_string())], None).await
    }

    /// Starts one with these settings. `front` is the URL of both where two are one server.
    pub(crate) async fn with(mut settings: Vec<(&'static str, String)>, front: Option<&str>) -> Self {
        let port = mcp_store::testkit::servers::free_port();
        let bind = format!("127.0.0.1:{port}");
        let url = front.map_or_else(|| format!("http://{bind}"), str::to_owned);
        settings.push(("MCP_BIND", bind.clone()));
        settings.push(("MCP_PUBLIC_URL", url.clone()));
        settings.push(("OWNER_PASSWORD", PASSWORD.to_owned()));
        let child = start(&settings).await;
        Self { client: Client::new(url).via(bind.parse().unwrap()), child, settings }
    }

    /// What this one is reached by, for another one that is to be the same server.
    pub(crate) fn url(&self) -> String {
        self.client.url().as_str().trim_end_matches('/').to_owned()
    }

    /// Ends it as a power failure would: at once, and whatever it is at (SIGKILL).
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again after [`kill`](Self::kill).
    pub(crate) async fn start_again(&mut self) {
        self.child = start(&self.settings).await;
    }
}

async fn start(settings: &[(&'static str, String)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provider"));
    command.env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
    // What it says of every request is too much for the terminal, and what it says at its end may be needed.
    let log = settings.iter().find(|(name, _)| *name == "MCP_BIND").map(|(_, bind)| bind.replace(':', "-"));
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("provider-{}.log", log.unwrap()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.starts_with("listening on ") {
                return;
            }
        }
        panic!("it ended before it listened: {}", std::fs::read_to_string(&log).unwrap());
    };
    // Real time: it only keeps a server that hangs from hanging the test.
    tokio::time::timeout(Duration::from_secs(60), ready).await.unwrap();
    child
}
