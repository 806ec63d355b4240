//! The real server in a process of its own, to be killed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Method;

/// A running `onscene serve`. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    dir: PathBuf,
    port: u16,
    settings: Vec<(&'static str, String)>,
}

impl Server {
    /// Starts one on a free port with its data in `dir`, and waits until it answers.
    ///
    /// # Panics
    /// When it ends, or does not answer within half a minute.
    pub async fn start(dir: &Path, database: Option<String>) -> Self {
        let settings = database.map(|url| ("ONSCENE_DATABASE__URL", url));
        Self::start_with(dir, settings.into_iter().collect()).await
    }

    /// The same with these variables of its configuration.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub async fn start_with(dir: &Path, settings: Vec<(&'static str, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = spawn(dir, port, &settings);
        let mut server = Self { child, dir: dir.to_owned(), port, settings };
        server.ready().await;
        server
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first administrator's key.
    #[must_use]
    pub fn admin_key(&self) -> String {
        let path = self.dir.join(onscene_server::auth::staff::ADMIN_KEY_FILE);
        std::fs::read_to_string(path).expect("a new hub writes it").trim().to_owned()
    }

    /// SIGKILL, then a new process on the same port and data.
    pub async fn kill_and_restart(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.child = spawn(&self.dir, self.port, &self.settings);
        self.ready().await;
    }

    async fn ready(&mut self) {
        let url = format!("{}/health/ready", self.url());
        for _ in 0..600 {
            let ended = self.child.try_wait().expect("it is ours");
            assert_eq!(ended, None, "the server ended by itself");
            if reqwest::get(&url).await.is_ok_and(|reply| reply.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server did not become ready");
    }

    /// A request of the command centre, with `key` or as the first administrator.
    ///
    /// # Panics
    /// When it is not answered with success.
    pub async fn must(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: serde_json::Value,
    ) -> serde_json::Value {
        let key = key.map_or_else(|| self.admin_key(), str::to_owned);
        let mut request = reqwest::Client::new()
            .request(method, format!("{}{path}", self.url()))
            .bearer_auth(key);
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let reply = request.send().await.expect("an answer");
        let status = reply.status();
        let bytes = reply.bytes().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// What `onscene check` says of the data, and whether it is content.
    #[must_use]
    pub fn check(&self) -> (bool, String) {
        let mut command = onscene(&self.dir, self.port, &self.settings);
        let output = command.arg("check").output().expect("the check starts");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

type Settings = [(&'static str, String)];

fn spawn(dir: &Path, port: u16, settings: &Settings) -> Child {
    onscene(dir, port, settings).arg("serve").spawn().expect("the server starts")
}

fn onscene(dir: &Path, port: u16, settings: &Settings) -> Command {
    let mut command = Command::new(binary());
    // What tests are told is no part of the server's configuration.
    let told = std::env::vars_os().map(|(name, _)| name);
    for name in told.filter(|name| name.as_encoded_bytes().starts_with(b"ONSCENE_")) {
        command.env_remove(name);
    }
    command
        .env("ONSCENE_DATA__DIR", dir)
        .env("ONSCENE_HTTP__LISTEN", format!("127.0.0.1:{port}"))
        .env("ONSCENE_HTTP__PUBLIC_URL", format!("http://127.0.0.1:{port}"))
        .env("ONSCENE_LOG__FILTER", "error")
        .stdin(Stdio::null())
        .envs(settings.iter().map(|(name, value)| (name, value)));
    command
}

/// The server's binary, built once in this test's own profile.
///
/// It is built with the features that the tests of the whole workspace give to its dependencies, so
/// that after `cargo test --workspace` it is there already.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--workspace", "--bin", "onscene", "--test", "guard"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the server does not build");
        let mut path = std::env::current_exe().expect("a path");
        path.pop();
        if path.ends_with("deps") {
            path.pop();
        }
        path.join("onscene")
    })
}
