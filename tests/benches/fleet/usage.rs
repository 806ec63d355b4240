//! What a process has used, from `/proc`.

use std::time::Duration;

use onscene_tests::process::Server;

/// Clock ticks a second in `/proc/*/stat` (`USER_HZ`, the same on every Linux of our targets).
const TICKS: u64 = 100;

/// CPU time that a process has used, in user and kernel mode, to 10 ms.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let after_name = stat.rsplit_once(')').expect("the name is in brackets").1;
    let field = |n: usize| -> u64 {
        let text = after_name.split_whitespace().nth(n).expect("proc(5) lists it");
        text.parse().expect("a number")
    };
    Duration::from_millis((field(11) + field(12)) * 1_000 / TICKS)
}

/// CPU time that this thread has used, to the nanosecond.
pub(crate) fn cpu_here() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let first = stat.split_whitespace().next().expect("proc(5) lists three numbers");
    Duration::from_nanos(first.parse().expect("a number"))
}

/// Bytes of memory that a process holds (`VmRSS`), and the most it ever held (`VmHWM`).
pub(crate) fn memory(pid: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let bytes = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("proc(5)");
        let kib = line.trim().trim_end_matches("kB").trim();
        kib.parse::<f64>().expect("a number") * 1024.0
    };
    (bytes("VmRSS:"), bytes("VmHWM:"))
}

/// Waits until the server has nothing to do any more.
pub(crate) async fn settle(server: &Server) {
    let mut before = cpu(server.pid());
    let mut quiet = 0;
    while quiet < 3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = cpu(server.pid());
        quiet = if now - before <= Duration::from_millis(10) { quiet + 1 } else { 0 };
        before = now;
    }
}
