use std::path::Path;
use std::process::Command;

use onscene_tests::process::Server;
use serde_json::json;

use super::bureau::Bureau;
use super::programs::{clients, programs, succeeds};

/// What an answer is held to.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";

#[tokio::test]
async fn the_description_is_a_valid_openapi_document() {
    let Some(programs) = programs() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("openapi.json");
    std::fs::write(&file, onscene_server::http::docs::written()).unwrap();
    let mut validator = Command::new(programs.join("python"));
    validator.args(["-m", "openapi_spec_validator", "--schema", "3.1"]).arg(&file);
    succeeds(validator).await;
}

#[tokio::test]
async fn a_fuzzer_finds_no_fault_and_no_answer_that_is_not_described() {
    let Some(programs) = programs() else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), None).await;
    let bureau = Bureau::on(&server).await;
    let file = dir.path().join("with_examples.json");
    std::fs::write(&file, bureau.described().to_string()).unwrap();
    for (role, key) in &bureau.keys {
        // Other systems have addresses of their own, and people have no use for them.
        let choice = match *role {
            "web_intake" => ["--include-path-regex", "^/open311/"],
            // A stream has no end.
            _ => ["--exclude-path-regex", "^/open311/|^/v1/events$"],
        };
        let mut fuzzer = fuzzer(&programs, &file, &server);
        fuzzer.env("SCHEMATHESIS_HOOKS", "hooks").args(choice);
        fuzzer.arg("--header").arg(format!("Authorization: Bearer {key}"));
        succeeds(fuzzer).await;
    }
}

#[tokio::test]
async fn a_fuzzer_with_a_phones_key_finds_none_behind_the_phones_door_either() {
    let Some(programs) = programs() else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), None).await;
    let bureau = Bureau::on(&server).await;
    let file = dir.path().join("with_examples.json");
    std::fs::write(&file, bureau.described().to_string()).unwrap();
    let (scalar, token) = bureau.phone(&server, dir.path()).await;
    let phone = json!({ "server": server.url(), "scalar": scalar, "token": token });
    let mut fuzzer = fuzzer(&programs, &file, &server);
    fuzzer.env("SCHEMATHESIS_HOOKS", "phone").env("ONSCENE_PHONE", phone.to_string());
    // A live connection is no request, and the stream of changes is for desks.
    fuzzer.args(["--exclude-path-regex", "^/open311/|^/v1/events$|^/v1/live$"]);
    succeeds(fuzzer).await;
}

fn fuzzer(programs: &Path, described: &Path, server: &Server) -> Command {
    let mut fuzzer = Command::new(programs.join("schemathesis"));
    fuzzer.env("PYTHONPATH", clients()).env("PYTHONDONTWRITEBYTECODE", "1");
    fuzzer.current_dir(described.parent().expect("a folder"));
    fuzzer.arg("run").arg(described).args(["--url", &server.url()]);
    fuzzer.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]);
    fuzzer.args(["--max-examples", "3", "--generation-deterministic"]);
    fuzzer.args(["--workers", "1", "--continue-on-failure", "--warnings", "off"]);
    fuzzer.args(["--suppress-health-check", "all", "--no-shrink"]);
    fuzzer
}
