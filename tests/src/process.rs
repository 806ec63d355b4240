//! Real processes: the server's binary, and a phone that records until it is killed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running `onscene serve`. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    dir: PathBuf,
    port: u16,
    database: Option<String>,
}

impl Server {
    /// Starts one on a free port with its data in `dir`, and waits until it answers.
    ///
    /// # Panics
    /// When it does not answer within half a minute.
    pub async fn start(dir: &Path, database: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = spawn(dir, port, database.as_deref());
        let server = Self { child, dir: dir.to_owned(), port, database };
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
        self.child = spawn(&self.dir, self.port, self.database.as_deref());
        self.ready().await;
    }

    async fn ready(&self) {
        let url = format!("{}/health/ready", self.url());
        for _ in 0..600 {
            if reqwest::get(&url).await.is_ok_and(|reply| reply.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server did not become ready");
    }

    /// A request of the command centre as the first administrator.
    ///
    /// # Panics
    /// When it is not answered with success.
    pub async fn must(&self, path: &str, body: serde_json::Value) -> serde_json::Value {
        let reply = reqwest::Client::new()
            .post(format!("{}{path}", self.url()))
            .bearer_auth(self.admin_key())
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("an answer");
        let status = reply.status();
        let bytes = reply.bytes().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn spawn(dir: &Path, port: u16, database: Option<&str>) -> Child {
    let mut command = Command::new(binary("onscene-server", "onscene"));
    command
        .arg("serve")
        .env("ONSCENE_DATA__DIR", dir)
        .env("ONSCENE_HTTP__LISTEN", format!("127.0.0.1:{port}"))
        .env("ONSCENE_HTTP__PUBLIC_URL", format!("http://127.0.0.1:{port}"))
        .env("ONSCENE_LOG__FILTER", "error")
        .stdin(Stdio::null());
    if let Some(database) = database {
        command.env("ONSCENE_DATABASE__URL", database);
    }
    command.spawn().expect("the server starts")
}

/// The path of a binary of this workspace, built in this test's own profile.
#[must_use]
pub fn binary(package: &str, name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let release = !cfg!(debug_assertions);
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", package, "--bin", name]);
    if release {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo runs").success(), "{name} does not build");
    let mut path = std::env::current_exe().expect("a path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.join(name)
}
