//! The provider in a process of its own, and a browser that is sent to it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::{Client, Url, header, redirect};
use serde_json::{Value, json};

pub(crate) const CLIENT: &str = "onscene";
pub(crate) const SECRET: &str = "a secret of the provider and the hub";
/// The command centre's page, which this test plays.
pub(crate) const PAGE: &str = "http://127.0.0.1:9/signed-in";

/// A running provider. Dropped, it is killed.
pub(crate) struct Provider {
    child: Child,
    pub(crate) issuer: String,
}

impl Provider {
    /// `None`, loudly, where `tests/run` has not installed it; a failure where `CI` is set.
    pub(crate) fn start() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/js");
        if !folder.join("node_modules/oidc-provider").is_dir() {
            assert!(std::env::var("CI").is_err(), "oidc-provider must be there in CI");
            println!("SKIPPED: oidc-provider is not installed, use tests/run");
            return None;
        }
        Some(Self::run(&folder))
    }

    fn run(folder: &Path) -> Self {
        let mut command = Command::new("node");
        command.arg(folder.join("oidc.mjs")).args([CLIENT, SECRET, PAGE]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("node is installed with it");
        let mut issuer = String::new();
        let said = child.stdout.as_mut().expect("its output");
        BufReader::new(said).read_line(&mut issuer).expect("its address");
        Self { child, issuer: issuer.trim().to_owned() }
    }

    /// Who signs in next, and what goes wrong then.
    pub(crate) async fn tell(&self, what: Value) {
        let request = Client::new().post(format!("{}/_test", self.issuer)).body(what.to_string());
        assert!(request.send().await.unwrap().status().is_success());
    }

    /// Lets a browser go to `address` and follow where it is sent, as far as the command centre's
    /// page. Returns what it brings there.
    pub(crate) async fn visit(&self, address: &str) -> BTreeMap<String, String> {
        let browser = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        let mut cookies = BTreeMap::new();
        let mut at: Url = address.parse().unwrap();
        for _ in 0..10 {
            if at.as_str().starts_with(PAGE) {
                return at.query_pairs().into_owned().collect();
            }
            let jar: Vec<_> =
                cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = browser.get(at.clone()).header(header::COOKIE, jar.join("; "));
            let answer = request.send().await.unwrap();
            for cookie in answer.headers().get_all(header::SET_COOKIE) {
                let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = cookie.split_once('=').unwrap();
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(next) = answer.headers().get(header::LOCATION) else {
                panic!("{at}: {} {}", answer.status(), answer.text().await.unwrap());
            };
            at = at.join(next.to_str().unwrap()).unwrap();
        }
        panic!("the browser is sent round and round: {at}");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What the page hands to the hub.
pub(crate) fn handed(attempt: &Value, brought: &BTreeMap<String, String>) -> Value {
    json!({
        "attempt": attempt["attempt"], "state": brought["state"], "code": brought["code"],
        "iss": brought.get("iss"),
    })
}
