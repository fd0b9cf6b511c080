//! What the demo tells of the traffic that it made.

#![expect(clippy::print_stdout, reason = "this is the program's face")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::DemoError;
use super::tour::{Answer, Step, Way};
use super::world::World;

/// The transactions in the access log, once there are `count` outer ones.
pub(super) fn wait_for_records(log: &Path, count: usize) -> Result<Vec<Value>, DemoError> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        let records: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|record: &Value| record["event"] == "transaction")
            .collect();
        let connections = per_connection(&records).len();
        if connections >= count {
            return Ok(records);
        }
        if Instant::now() > end {
            return Err(DemoError::Unlogged {
                missing: count - connections,
                log: log.to_owned(),
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The record that tells most of each connection, in the order of the connections: of a tunnel with
/// a request inside, the inner one (it is logged first).
fn per_connection(records: &[Value]) -> Vec<&Value> {
    let mut first: Vec<&Value> = Vec::new();
    for record in records {
        if first.iter().all(|seen| seen["conn"] != record["conn"]) {
            first.push(record);
        }
    }
    first.sort_by_key(|record| text(record, "conn").to_owned());
    first
}

/// Prints one line for each step.
pub(super) fn table(steps: &[Step], answers: &[Answer], records: &[Value]) {
    println!(
        "{:<46} {:>6}  {:<12} {:<6} {:<22} {:<18} {:>8} {:>9}  why it is asked",
        "request", "status", "phase", "action", "rule", "alerts", "rules µs", "total µs"
    );
    for ((step, answer), record) in steps.iter().zip(answers).zip(per_connection(records)) {
        let status = answer
            .status
            .map_or_else(|| "cut".to_owned(), |status| status.to_string());
        let rule = match record["rule"].as_str() {
            Some(rule) => rule,
            None if record["action"] == "deny" || record["error"].is_null() => "(default)",
            None => text(record, "error"),
        };
        let alerts = record["alerts"]
            .as_array()
            .map_or_else(String::new, |alerts| {
                alerts
                    .iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>()
                    .join(",")
            });
        println!(
            "{:<46} {status:>6}  {:<12} {:<6} {:<22} {:<18} {:>8} {:>9}  {}",
            shown(step),
            text(record, "phase"),
            text(record, "action"),
            rule,
            alerts,
            number(record, "t_rules"),
            number(record, "t_total"),
            step.why
        );
    }
}

fn shown(step: &Step) -> String {
    let way = match step.way {
        Way::Absolute => "",
        Way::Tunnel | Way::TunnelOnly => "CONNECT ",
    };
    let text = format!("{way}{} {}{}", step.method, step.host, step.path);
    if text.chars().count() <= 46 {
        return text;
    }
    text.chars().take(45).chain(['…']).collect()
}

fn text<'r>(record: &'r Value, field: &str) -> &'r str {
    record[field].as_str().unwrap_or("–")
}

fn number(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or(0)
}

/// What to try by hand.
pub(super) fn curl_lines(world: &World) {
    let (proxy, port) = (world.proxy, world.origin.port());
    println!("curl -x http://{proxy} http://api.allowed.test:{port}/");
    println!("curl -x http://{proxy} http://api.allowed.test:{port}/admin");
    println!("curl -x http://{proxy} -i -H 'Accept: application/json' http://denied.test:{port}/");
    println!("curl -x http://{proxy} -p http://api.allowed.test:{port}/echo -d 'inside a tunnel'");
    println!(
        "curl -x http://{proxy} -i 'http://download.allowed.test:{port}/?type=application/zip'"
    );
    println!("tail -f {}", world.access_log().display());
}
