//! The program as an operator meets it: started, asked, stopped.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn onscene(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onscene"));
    command.current_dir(dir).env("ONSCENE_HTTP__LISTEN", "127.0.0.1:0").env_remove("RUST_LOG");
    command
}

fn words(output: &Output) -> String {
    let both = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn a_wrong_key_or_value_is_refused_by_name_wherever_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let output = onscene(dir.path()).env("ONSCENE_HTTP__LISTN", "x").arg("check").output().unwrap();
    assert!(!output.status.success());
    assert!(words(&output).contains("listn"), "{}", words(&output));

    std::fs::write(dir.path().join("o.toml"), "[bureau]\nutc_offset_min = \"east\"\n").unwrap();
    let output = onscene(dir.path()).args(["check", "--config", "o.toml"]).output().unwrap();
    assert!(!output.status.success());
    let text = words(&output);
    assert!(text.contains("o.toml") && text.contains("bureau.utc_offset_min"), "{text}");

    let output = onscene(dir.path()).args(["serve", "--config", "absent.toml"]).output().unwrap();
    assert!(words(&output).contains("absent.toml: no such file"), "{}", words(&output));
}

#[test]
fn the_environment_takes_precedence_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("o.toml"), "[data]\ndir = \"from_file\"\n").unwrap();
    let output = onscene(dir.path())
        .env("ONSCENE_CONFIG", "o.toml")
        .env("ONSCENE_DATA__DIR", "from_environment")
        .arg("migrate")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", words(&output));
    assert!(dir.path().join("from_environment/onscene.db").is_file());
    assert!(!dir.path().join("from_file").exists());
}

#[test]
fn nobody_else_on_the_machine_reads_the_data() {
    let dir = tempfile::tempdir().unwrap();
    let output = onscene(dir.path()).arg("migrate").output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    let others = |path: &str| {
        let mode = std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode();
        mode & 0o077
    };
    assert_eq!((others("data"), others("data/onscene.db")), (0, 0));
}

#[test]
fn the_printed_example_is_a_configuration_that_works() {
    let dir = tempfile::tempdir().unwrap();
    let example = onscene(dir.path()).args(["check", "--print-example"]).output().unwrap();
    std::fs::write(dir.path().join("o.toml"), example.stdout).unwrap();
    let output = onscene(dir.path()).args(["migrate", "--config", "o.toml"]).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn it_serves_until_it_is_told_to_stop_and_then_passes_its_check() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = onscene(dir.path())
        .env("ONSCENE_LOG__FORMAT", "json")
        .arg("serve")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(hub.stderr.take().unwrap()).lines();
    let address = log
        .by_ref()
        .map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap())
        .find_map(|line| line["address"].as_str().map(str::to_owned))
        .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /health/ready?phone=13800138000 HTTP/1.0\r\nhost: x\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.contains("200 OK") && reply.ends_with("ready\n"), "{reply}");

    let stopped = Command::new("kill").args(["-TERM", &hub.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let status = hub.wait().unwrap();
    assert!(status.success(), "{status}");
    let rest: Vec<String> = log.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.contains("\"route\":\"/health/ready\"")), "{rest:?}");
    assert!(!rest.concat().contains("13800138000"), "no query in the log: {rest:?}");

    let output = onscene(dir.path()).arg("check").output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
}
