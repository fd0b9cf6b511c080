//! The meter against meters that others wrote, on the same target: an origin whose delay is known.
//! `benches/meter-agreement/run` does the same at length and with more of them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;
#[path = "../../engine/tests/skip.rs"]
mod skip;

use std::process::Command;

use common::{Certificate, Origin, number, run};
use skip::skip;

// The warm-up takes the connections' set-up out: not every meter counts it.

/// On a busy machine two runs that follow each other differ by more than two meters do.
const TOLERANCE: f64 = 0.15;
const ROUNDS: usize = 3;

/// What another meter prints; none if it is not installed.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(program).args(args).output() else {
        skip(&format!("{program} is not installed"));
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The number that stands between two texts.
fn between(text: &str, before: &str, after: &str) -> f64 {
    let found = text
        .split_once(before)
        .and_then(|(_, rest)| rest.split_once(after));
    let number = found.and_then(|(number, _)| number.trim().parse().ok());
    number.unwrap_or_else(|| panic!("{before}: {text}"))
}

/// Medians of rates that were measured in turn must be near each other.
fn assert_agree(mut measure: impl FnMut() -> Option<(f64, f64)>) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let Some((our, their)) = measure() else {
            return;
        };
        ours.push(our);
        theirs.push(their);
    }
    ours.sort_by(f64::total_cmp);
    theirs.sort_by(f64::total_cmp);
    let ratio = ours[ROUNDS / 2] / theirs[ROUNDS / 2];
    assert!((ratio - 1.0).abs() < TOLERANCE, "{ours:?} {theirs:?}");
}

#[test]
fn wrk_counts_the_same() {
    let origin = Origin::start(&[]);
    let url = origin.url("/bytes/1000?delay=50");
    assert_agree(|| {
        let report = run(&["--url", &url, "-c", "16", "--warmup", "500ms", "-d", "1s"]);
        assert_eq!(number(&report, "errors_total"), 0.0);
        let text = output("wrk", &["-t1", "-c16", "-d1s", &url])?;
        let theirs = between(&text, "Requests/sec:", "\n");
        Some((number(&report, "requests_per_second"), theirs))
    });
}

#[test]
fn h2load_counts_the_same() {
    let certificate = Certificate::make();
    let origin = certificate.origin();
    let url = format!(
        "https://localhost:{}/bytes/1000?delay=50",
        origin.address.port()
    );
    assert_agree(|| {
        let args = [
            "--http",
            "2",
            "--streams",
            "8",
            "--insecure",
            "-c",
            "2",
            "-d",
            "1s",
            "--warmup",
            "500ms",
        ];
        let report = run(&[&args[..], &["--url", &url]].concat());
        assert_eq!(number(&report, "errors_total"), 0.0, "{report}");
        let text = output("h2load", &["-t1", "-c2", "-m8", "-D1", &url])?;
        // "finished in 1.00s, 760.00 req/s, 760.00KB/s"
        let (_, rest) = text.split_once("finished in ")?;
        let theirs = between(rest, "s, ", " req/s");
        Some((number(&report, "requests_per_second"), theirs))
    });
}
