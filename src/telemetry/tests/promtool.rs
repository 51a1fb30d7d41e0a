//! Prometheus's own linter on a rendered scrape. `tests/run` installs it (Debian's package `prometheus`);
//! without it this test says that it did nothing.

use std::io::Write;
use std::process::{Command, Stdio};

use super::busy_recorder;
use crate::prometheus;

#[test]
fn promtool_accepts_a_scrape() {
    let lint = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut lint = match lint {
        Ok(lint) => lint,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("promtool is not installed: the scrape was not linted");
            return;
        }
        Err(error) => panic!("promtool did not start: {error}"),
    };
    let mut both = busy_recorder(0).snapshot();
    both.merge(&busy_recorder(1).snapshot()).unwrap();
    let scrape = prometheus::render(&both);
    lint.stdin
        .take()
        .unwrap()
        .write_all(scrape.as_bytes())
        .unwrap();
    let output = lint.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
