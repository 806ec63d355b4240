use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use onscene_tests::process::Server;

use super::bureau::Bureau;

/// What an answer is held to.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";
/// Each desk's share of the time.
const PATIENCE: Duration = Duration::from_secs(240);

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
        let choice =
            if *role == "web_intake" { "--include-path-regex" } else { "--exclude-path-regex" };
        let mut fuzzer = Command::new(programs.join("schemathesis"));
        fuzzer.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", clients());
        fuzzer.env("PYTHONDONTWRITEBYTECODE", "1");
        fuzzer.current_dir(dir.path()).arg("run").arg(&file).args(["--url", &server.url()]);
        fuzzer.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]);
        fuzzer.args(["--max-examples", "3", "--generation-deterministic"]);
        fuzzer.args(["--workers", "1", "--continue-on-failure", "--warnings", "off"]);
        fuzzer.args(["--suppress-health-check", "all", "--no-shrink"]);
        fuzzer.args([choice, "^/open311/"]);
        fuzzer.arg("--header").arg(format!("Authorization: Bearer {key}"));
        succeeds(fuzzer).await;
    }
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

/// The programs that `tests/run` installed; a run of continuous integration must have them.
fn programs() -> Option<PathBuf> {
    let folder = clients().join("installed/bin");
    let installed = folder.join("schemathesis").is_file();
    assert!(installed || std::env::var_os("CI").is_none(), "tests/run installs {folder:?}");
    if !installed {
        println!("skipped: tests/run installs what this needs in {}", folder.display());
    }
    installed.then_some(folder)
}

/// Runs a program to its end; what it said is shown when it is not content.
async fn succeeds(mut program: Command) {
    let run = tokio::task::spawn_blocking(move || program.output().expect("it runs"));
    let output = tokio::time::timeout(PATIENCE, run).await.expect("it ends in time");
    let output = output.expect("it does not panic");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
