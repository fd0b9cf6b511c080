//! The access log as a whole: every line against what was put in, the documentation, the buffers
//! under pressure, and each sink with a real counterpart.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sallyport_ruleset::{Action, Phase, RuleIndex};
use serde_json::{Value, json};

use super::buffer::{BufferPlan, channel};
use super::json::Encoder;
use super::*;
use crate::config::checked::{
    AccessSink, FileSink, HostPort, Log, LogConnections, LogFormat, LogLevel, OnOverflow,
};
use crate::limits::{
    LOG_ALERTS_MAX, LOG_BUFFER_BYTES_MIN, LOG_CHUNK_BYTES, LOG_FINISH_TIMEOUT, LOG_FINISH_TRIED,
    LOG_OVERFLOW_BYTES, LOG_RECORD_BYTES_MAX, LOG_URI_BYTES_MAX,
};
use crate::proxy_error::ProxyError;

const DOCUMENTATION: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/log-format.md"
));

/// What stands for a text of the program itself.
const OWN: &str = "one-of-ours";

/// A rule and a group of one name.
#[derive(Debug)]
struct Named<'a>(&'a str, &'a str);

impl RuleNames for Named<'_> {
    fn name(&self, _: Phase, _: RuleIndex) -> &str {
        self.0
    }

    fn group(&self, _: Phase, _: RuleIndex) -> &str {
        self.1
    }
}

fn outcome<'a>(phase: Phase, action: Action, names: &'a Named<'a>) -> PhaseOutcome<'a> {
    PhaseOutcome {
        phase,
        action,
        rule: Some(RuleIndex(3)),
        names,
    }
}

/// Every field set; `bytes` wherever bytes may come from the network, `text` for other texts.
fn full<'a>(
    bytes: &'a [u8],
    text: &'a str,
    alerts: &'a [&'a str],
    names: &'a Named<'a>,
) -> Record<'a> {
    Record {
        ts_us: 1_795_231_310_000_042,
        event: Event::Deny,
        txn: Some(TransactionId(0xfeed)),
        conn: ConnectionId(u64::MAX),
        core: 7,
        bundle: text,
        config: text,
        client_ip: "2001:db8::1".parse().unwrap(),
        client_port: 65_535,
        vpce: Some(bytes),
        vpc: Some(bytes),
        account: Some(bytes),
        principal: Some(bytes),
        listener: Some(text),
        proto: Some(OWN),
        http_version: Some(OWN),
        method: Some(bytes),
        domain: Some(bytes),
        port: Some(443),
        dst_ip: Some(IpAddr::from([192, 0, 2, 255])),
        sni: Some(bytes),
        alpn: Some(bytes),
        ja4: Some(bytes),
        tls_mode: Some(TlsHandling::Passthrough),
        tls_version: Some(OWN),
        tls_cipher: Some(OWN),
        uri: Some(bytes),
        user_agent: Some(bytes),
        status: Some(403),
        content_type: Some(bytes),
        decided: Some(outcome(Phase::PostResponse, Action::Deny, names)),
        action: Some(Action::Deny),
        decisions: Phase::ALL.map(|phase| Some(outcome(phase, Action::Allow, names))),
        alerts,
        error: Some(ProxyError::ConnectionTerminated),
        detail: Some(bytes),
        bytes_up: Some(u64::MAX),
        bytes_down: Some(0),
        upstream_reused: Some(true),
        upstream_http_version: Some(OWN),
        cache: Some(CacheOutcome::Miss),
        t_total: Some(1),
        t_dns: Some(2),
        t_connect: Some(3),
        t_tls_client: Some(4),
        t_tls_origin: Some(5),
        t_first_byte: Some(6),
        t_rules: Some(7),
    }
}

fn line(record: &Record<'_>) -> String {
    let mut out = Vec::new();
    Encoder::new().record(record, &mut out);
    String::from_utf8(out).unwrap()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// What a value becomes, the slow and obvious way.
fn expected_text(bytes: &[u8], bytes_max: usize) -> String {
    if bytes.len() <= bytes_max {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut end = bytes_max;
    while end > bytes_max - 3 && bytes[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    if bytes[end] & 0xc0 == 0x80 {
        end = bytes_max;
    }
    format!(
        "{}…(+{} bytes)",
        String::from_utf8_lossy(&bytes[..end]),
        bytes.len() - end
    )
}

#[test]
fn a_typical_line_reads_as_documented() {
    let record = Record {
        ts_us: 1_795_231_310_000_042,
        txn: Some(TransactionId(0x1f)),
        conn: ConnectionId(2),
        bundle: "b1",
        config: "c1",
        client_ip: IpAddr::from([10, 1, 2, 3]),
        client_port: 40_000,
        method: Some(b"GET"),
        domain: Some(b"example.com"),
        status: Some(200),
        alerts: &["a", "b"],
        decisions: [
            Some(outcome(Phase::PreDns, Action::Allow, &Named("r", "g"))),
            Some(PhaseOutcome {
                rule: None,
                ..outcome(Phase::PreRequest, Action::Deny, &Named("", ""))
            }),
            None,
        ],
        upstream_reused: Some(false),
        t_total: Some(512),
        ..Record::default()
    };
    let expected = concat!(
        r#"{"ts":"2026-11-21T03:21:50.000042Z","event":"transaction","txn":"000000000000001f","#,
        r#""conn":"0000000000000002","core":0,"bundle":"b1","config":"c1","client_ip":"10.1.2.3","#,
        r#""client_port":40000,"method":"GET","domain":"example.com","status":200,"#,
        r#""decisions":[{"phase":"PreDNS","action":"allow","rule":"r","group":"g"},"#,
        r#"{"phase":"PreREQUEST","action":"deny"}],"#,
        r#""alerts":["a","b"],"upstream_reused":false,"t_total":512}"#,
        "\n"
    );
    assert_eq!(line(&record), expected);
}

#[test]
fn the_documentation_has_exactly_the_fields_of_a_line_in_order() {
    let rows = DOCUMENTATION
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<_> = rows.map(|row| row.split_once('`').unwrap().0).collect();
    let text = line(&full(b"x", "x", &["x"], &Named("x", "x")));
    let object = parsed(&text);
    let mut written: Vec<_> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    written.sort_by_key(|key| text.find(&format!("\"{key}\":")));
    assert_eq!(documented, written);
}

#[test]
fn time_is_told_to_the_microsecond_and_never_fails() {
    let time = |ts_us| {
        let line = line(&Record {
            ts_us,
            ..Record::default()
        });
        parsed(&line)["ts"].as_str().unwrap().to_owned()
    };
    assert_eq!(time(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(time(999_999), "1970-01-01T00:00:00.999999Z");
    assert_eq!(time(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
    assert!(time(u64::MAX).starts_with("9999-12-30T"));
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    for ts_us in [1_000_000, 1_999_999, 2_000_000, 1_500_000] {
        encoder.record(
            &Record {
                ts_us,
                ..Record::default()
            },
            &mut out,
        );
    }
    let text = String::from_utf8(out).unwrap();
    let times: Vec<_> = text
        .lines()
        .map(|line| parsed(line)["ts"].clone())
        .collect();
    let second = |text: &str| json!(format!("1970-01-01T00:00:{text}Z"));
    let expected = ["01.000000", "01.999999", "02.000000", "01.500000"].map(second);
    assert_eq!(times, expected);
}

#[test]
fn the_largest_record_fits_the_bound() {
    let bytes = vec![0; 1 << 20];
    let text = "\u{1}".repeat(1 << 12);
    let alerts = vec![text.as_str(); LOG_ALERTS_MAX + 5];
    let line = line(&full(&bytes, &text, &alerts, &Named(&text, &text)));
    assert!(line.len() < LOG_RECORD_BYTES_MAX - 1024, "{}", line.len());
    let object = parsed(&line);
    assert_eq!(
        object["alerts"].as_array().unwrap().len(),
        LOG_ALERTS_MAX + 1
    );
    assert_eq!(object["alerts"][LOG_ALERTS_MAX], "…(+5)");
    assert!(
        object["uri"]
            .as_str()
            .unwrap()
            .ends_with("…(+1046528 bytes)")
    );
}

proptest! {
    #[test]
    fn any_bytes_make_one_line_of_json(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "[\u{0}-\u{2100}\"\\\\\u{2028}\u{2029}]{0,200}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), LOG_URI_BYTES_MAX - 4..LOG_URI_BYTES_MAX + 9),
            "[é€😀]{600,800}".prop_map(String::into_bytes),
        ],
        text in "\\PC{0,200}",
    ) {
        let alerts = [text.as_str()];
        let line = line(&full(&bytes, &text, &alerts, &Named(&text, &text)));
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(line.ends_with("}\n"), "the end of {line:?}");
        let is_split = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        prop_assert!(!line.trim_end_matches('\n').contains(is_split));
        let object = parsed(&line);
        for (field, bytes_max) in [("uri", 2048), ("user_agent", 512), ("domain", 256), ("method", 128)] {
            prop_assert_eq!(&object[field], &json!(expected_text(&bytes, bytes_max)));
        }
        prop_assert_eq!(&object["rule"], &json!(expected_text(text.as_bytes(), 128)));
        prop_assert_eq!(&object["alerts"][0], &json!(expected_text(text.as_bytes(), 128)));
        prop_assert_eq!(&object["decisions"][2]["group"], &json!(expected_text(text.as_bytes(), 128)));
        prop_assert_eq!(&object["bytes_up"], &json!(u64::MAX));
        prop_assert_eq!(&object["client_ip"], "2001:db8::1");
        prop_assert_eq!(&object["conn"], "ffffffffffffffff");
    }
}

fn plan(on_overflow: OnOverflow) -> BufferPlan {
    BufferPlan {
        buffer_bytes: LOG_BUFFER_BYTES_MIN,
        on_overflow,
    }
}

fn record(txn: u64) -> Record<'static> {
    Record {
        txn: Some(TransactionId(txn)),
        uri: Some(&[b'x'; 1000]),
        ..Record::default()
    }
}

#[test]
fn stall_turns_requests_away_but_loses_no_record_under_way() {
    let (mut log, shard) = channel(
        0,
        plan(OnOverflow::Stall),
        std::thread::current(),
        Arc::default(),
    );
    let mut count = 0;
    while log.has_room() {
        log.write(&record(count));
        count += 1;
    }
    let lines_fitting = 2 * LOG_CHUNK_BYTES as u64 / 1200;
    assert!(count >= lines_fitting, "{count}");
    for _ in 0..500 {
        log.write(&record(count));
        count += 1;
    }
    log.flush();
    assert!(!log.has_room());
    let mut lines = 0;
    while let Ok(mut chunk) = shard.full.try_recv() {
        let text = String::from_utf8(chunk.bytes.clone()).unwrap();
        for line in text.lines() {
            assert_eq!(parsed(line)["txn"], format!("{lines:016x}"));
            lines += 1;
        }
        chunk.clear();
        shard.empty.try_send(chunk).unwrap();
    }
    assert!(log.has_room(), "what was written is room again");
    log.flush();
    lines += shard.full.try_recv().map_or(0, |chunk| chunk.lines);
    assert_eq!((lines, log.dropped()), (count, 0));
}

#[test]
fn stall_has_a_bound_too_and_counts_what_is_beyond() {
    let (mut log, shard) = channel(
        0,
        plan(OnOverflow::Stall),
        std::thread::current(),
        Arc::default(),
    );
    let fitting = (LOG_OVERFLOW_BYTES + LOG_BUFFER_BYTES_MIN) as u64 / 1000;
    for txn in 0..fitting + 1000 {
        log.write(&record(txn));
    }
    assert!(log.dropped() > 0);
    let lines: u64 = shard.full.try_iter().map(|chunk| chunk.lines).sum();
    assert_eq!(lines + log.dropped(), fitting + 1000);
}

#[test]
fn drop_counts_and_says_so() {
    let (mut log, shard) = channel(
        3,
        plan(OnOverflow::Drop),
        std::thread::current(),
        Arc::default(),
    );
    let written = 1000;
    for txn in 0..written {
        assert!(log.has_room());
        log.write(&record(txn));
    }
    let dropped = log.dropped();
    assert!(dropped > 0 && dropped < written);
    let mut chunk = shard.full.try_recv().unwrap();
    chunk.clear();
    shard.empty.try_send(chunk).unwrap();
    log.write(&record(9999));
    drop(log);
    let chunks: Vec<_> = shard.full.try_iter().collect();
    let text: String = chunks
        .iter()
        .map(|chunk| String::from_utf8(chunk.bytes.clone()).unwrap())
        .collect();
    let told: Vec<_> = text
        .lines()
        .map(parsed)
        .filter(|line| line["event"] == "dropped")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["count"], &told[0]["core"]),
        (&json!(dropped), &json!(3))
    );
    assert!(text.ends_with("\n") && text.lines().last().unwrap().contains("270f"));
}

#[test]
fn scraps_do_not_use_up_the_buffer_of_a_stuck_writer() {
    let (mut log, shard) = channel(
        0,
        plan(OnOverflow::Stall),
        std::thread::current(),
        Arc::default(),
    );
    for txn in 0..20 {
        log.write(&record(txn));
        log.flush();
    }
    assert!(log.has_room());
    assert_eq!(shard.full.try_iter().count(), 1);
}

#[test]
fn no_chunk_is_reallocated_or_allocated_while_they_go_round() {
    let (mut log, shard) = channel(
        0,
        plan(OnOverflow::Stall),
        std::thread::current(),
        Arc::default(),
    );
    let bytes = vec![0; 1 << 16];
    let mut places = std::collections::BTreeSet::new();
    let mut rounds = 0;
    while rounds < 50 {
        log.write(&full(&bytes, "x", &[], &Named("x", "x")));
        if let Ok(mut chunk) = shard.full.try_recv() {
            places.insert((chunk.bytes.as_ptr() as usize, chunk.bytes.capacity()));
            chunk.clear();
            shard.empty.try_send(chunk).unwrap();
            rounds += 1;
        }
    }
    assert!(
        places.len() <= LOG_BUFFER_BYTES_MIN / LOG_CHUNK_BYTES,
        "{places:?}"
    );
}

fn log_to(access: AccessSink) -> Log {
    Log {
        access,
        query: false,
        on_overflow: OnOverflow::Stall,
        buffer_bytes: LOG_BUFFER_BYTES_MIN,
        flush_interval: Duration::from_millis(100),
        progress: None,
        connections: LogConnections::Off,
        level: LogLevel::Info,
        format: LogFormat::Text,
    }
}

fn file(path: &Path, rotate_bytes: Option<u64>) -> AccessSink {
    AccessSink::File(FileSink {
        path: path.to_owned(),
        rotate_bytes,
        rotate_keep: 2,
    })
}

/// Waits for something that another thread brings about.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

fn txns(text: &str) -> Vec<u64> {
    let txn = |line| u64::from_str_radix(parsed(line)["txn"].as_str().unwrap(), 16).unwrap();
    text.lines().map(txn).collect()
}

#[test]
fn shards_on_their_threads_lose_nothing_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.jsonl");
    std::fs::write(&path, "{\"unfinished").unwrap();
    let (writer, logs) = Writer::start(&log_to(file(&path, None)), 3).unwrap();
    std::thread::scope(|scope| {
        for (core, mut log) in logs.into_iter().enumerate() {
            scope.spawn(move || {
                for index in 0..3000 {
                    eventually("room", || log.has_room());
                    log.write(&record((core * 10_000 + index) as u64));
                }
                assert_eq!(log.dropped(), 0);
            });
        }
    });
    let counters = {
        eventually("written", || writer.counters().lines_written == 9000);
        writer.counters()
    };
    writer.finish(|| false).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.strip_prefix("{\"unfinished\n").unwrap();
    assert_eq!(counters.bytes_written, text.len() as u64);
    let txns = txns(text);
    for core in 0..3 {
        let of_core: Vec<_> = txns
            .iter()
            .copied()
            .filter(|txn| txn / 10_000 == core)
            .collect();
        let expected: Vec<_> = (core * 10_000..core * 10_000 + 3000).collect();
        assert_eq!(of_core, expected);
    }
}

#[test]
fn a_file_that_was_renamed_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let (writer, mut logs) = Writer::start(&log_to(file(&path, None)), 1).unwrap();
    logs[0].write(&record(1));
    logs[0].flush();
    eventually("written", || writer.counters().lines_written == 1);
    std::fs::rename(&path, folder.path().join("old")).unwrap();
    writer.reopen();
    eventually("reopened", || path.exists());
    logs[0].write(&record(2));
    drop(logs);
    writer.finish(|| false).unwrap();
    assert_eq!(
        txns(&std::fs::read_to_string(folder.path().join("old")).unwrap()),
        [1]
    );
    assert_eq!(txns(&std::fs::read_to_string(&path).unwrap()), [2]);
}

#[test]
fn a_file_is_rotated_by_size_with_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let (writer, mut logs) = Writer::start(&log_to(file(&path, Some(100_000))), 1).unwrap();
    for txn in 0..500 {
        eventually("room", || logs[0].has_room());
        logs[0].write(&record(txn));
    }
    drop(logs);
    writer.finish(|| false).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let all: Vec<_> = ["a.2", "a.1", "a"]
        .iter()
        .flat_map(|name| txns(&read(name)))
        .collect();
    let first = all[0];
    assert_eq!(all, (first..500).collect::<Vec<_>>());
    assert!(first > 0, "the oldest file is overwritten");
    assert!(!folder.path().join("a.3").exists());
}

#[test]
fn a_full_disk_is_waited_for_and_told_at_the_end() {
    let (writer, mut logs) = Writer::start(&log_to(file(Path::new("/dev/full"), None)), 1).unwrap();
    logs[0].write(&record(1));
    drop(logs);
    eventually("tried again", || writer.counters().errors >= 2);
    assert_eq!(writer.counters().lines_lost, 0);
    let begin = Instant::now();
    let error = writer.finish(|| false).unwrap_err();
    assert!(matches!(error, LogError::Lost { lines: 1 }), "{error}");
    assert!(begin.elapsed() >= LOG_FINISH_TRIED && begin.elapsed() < LOG_FINISH_TIMEOUT);
}

/// A pipe that nobody reads: the thread hangs in a write, the end does not wait for it, and says what is lost.
#[test]
fn a_sink_that_blocks_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (writer, mut logs) = Writer::start(&log_to(file(&path, None)), 1).unwrap();
    let mut log = logs.remove(0);
    let mut lines = 0;
    while log.has_room() {
        log.write(&record(lines));
        log.flush();
        lines += 1;
    }
    drop(log);
    let asked = std::cell::Cell::new(0);
    let begin = Instant::now();
    let error = writer
        .finish(|| {
            asked.set(asked.get() + 1);
            asked.get() > 3
        })
        .unwrap_err();
    assert!(begin.elapsed() < LOG_FINISH_TRIED, "it was asked to hurry");
    let LogError::Stuck { lines: lost } = error else {
        panic!("{error}");
    };
    assert!(0 < lost && lost <= lines, "{lost} of {lines}");
}

/// What `run` would stumble over is found without leaving a trace.
#[test]
fn a_sink_is_checked_without_being_touched() {
    let folder = tempfile::tempdir().unwrap();
    let check = |access| Writer::check(&log_to(access));
    let new = folder.path().join("access.jsonl");
    assert!(matches!(check(file(&new, None)), Ok(None)));
    assert!(!new.exists(), "nothing is created");
    std::fs::write(&new, "half a line").unwrap();
    assert!(matches!(check(file(&new, None)), Ok(None)));
    assert_eq!(std::fs::read(&new).unwrap(), b"half a line");
    for bad in [
        folder.path().join("missing/access.jsonl"),
        folder.path().to_owned(),
    ] {
        let error = check(file(&bad, None)).unwrap_err().to_string();
        assert!(error.contains(bad.to_str().unwrap()), "{error}");
    }
    let socket = folder.path().join("socket");
    let note = check(AccessSink::UnixStream(socket.clone())).unwrap();
    assert!(note.unwrap().contains("kept until"));
    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(matches!(check(AccessSink::UnixStream(socket)), Ok(None)));
}

/// Lines that tell of no end give way to those that do, and are counted.
#[test]
fn lines_of_no_end_never_take_the_room_beyond_the_buffer() {
    let (mut log, shard) = channel(
        0,
        plan(OnOverflow::Stall),
        std::thread::current(),
        Arc::default(),
    );
    for txn in 0..100_000 {
        log.write_if_room(&record(txn));
    }
    assert!(log.dropped() > 0);
    let chunks = shard.full.try_iter().count();
    assert!(chunks <= LOG_BUFFER_BYTES_MIN / LOG_CHUNK_BYTES, "{chunks}");
}

#[test]
fn a_device_needs_no_sync() {
    let (writer, mut logs) = Writer::start(&log_to(file(Path::new("/dev/null"), None)), 1).unwrap();
    logs[0].write(&record(1));
    drop(logs);
    writer.finish(|| false).unwrap();
}

#[test]
fn what_cannot_be_opened_is_told_at_once() {
    let error = Writer::start(&log_to(file(Path::new("/nowhere/at/all"), None)), 1).unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
}

#[test]
fn an_unwanted_log_costs_nothing_and_has_room() {
    let (writer, mut logs) = Writer::start(&log_to(AccessSink::Off), 2).unwrap();
    assert_eq!(logs.len(), 2);
    logs[1].write(&record(1));
    logs[1].flush();
    assert!(logs[1].has_room());
    writer.finish(|| false).unwrap();
}

#[test]
fn a_stream_socket_that_comes_late_or_breaks_gets_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (writer, mut logs) =
        Writer::start(&log_to(AccessSink::UnixStream(path.clone())), 1).unwrap();
    logs[0].write(&record(1));
    logs[0].flush();
    eventually("tried in vain", || writer.counters().errors > 0);
    let listener = UnixListener::bind(&path).unwrap();
    let mut first = BufReader::new(listener.accept().unwrap().0);
    let mut line = String::new();
    first.read_line(&mut line).unwrap();
    assert_eq!(txns(&line), [1]);
    drop(first);
    eventually("written", || writer.counters().lines_written == 1);
    logs[0].write(&record(2));
    drop(logs);
    let (mut second, _) = listener.accept().unwrap();
    writer.finish(|| false).unwrap();
    let mut rest = String::new();
    second.read_to_string(&mut rest).unwrap();
    assert_eq!(txns(&rest), [2]);
}

#[test]
fn a_datagram_socket_gets_a_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let socket = UnixDatagram::bind(&path).unwrap();
    let (writer, mut logs) = Writer::start(&log_to(AccessSink::UnixDatagram(path)), 1).unwrap();
    logs[0].write(&record(1));
    logs[0].write(&record(2));
    drop(logs);
    let mut buffer = [0; 4096];
    for txn in [1, 2] {
        let count = socket.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..count]).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(txns(text), [txn]);
    }
    writer.finish(|| false).unwrap();
}

#[test]
fn syslog_over_udp_is_rfc_5424() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let at = HostPort {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let (writer, mut logs) = Writer::start(&log_to(AccessSink::SyslogUdp(at)), 1).unwrap();
    logs[0].write(&record(5));
    drop(logs);
    let mut buffer = [0; 4096];
    let count = socket.recv(&mut buffer).unwrap();
    let message = std::str::from_utf8(&buffer[..count]).unwrap();
    let words: Vec<_> = message.splitn(8, ' ').collect();
    assert_eq!(words[..2], ["<134>1", "1970-01-01T00:00:00.000000Z"]);
    assert_eq!(
        words[3..7],
        ["sallyport", &*std::process::id().to_string(), "access", "-"]
    );
    assert_eq!(txns(words[7]), [5]);
    writer.finish(|| false).unwrap();
}

#[test]
fn syslog_over_tcp_counts_octets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let at = HostPort {
        host: "localhost".to_owned(),
        port,
    };
    let (writer, mut logs) = Writer::start(&log_to(AccessSink::SyslogTcp(at)), 1).unwrap();
    for txn in 0..100 {
        logs[0].write(&record(txn));
    }
    drop(logs);
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    writer.finish(|| false).unwrap();
    for txn in 0..100 {
        let mut length = Vec::new();
        stream.read_until(b' ', &mut length).unwrap();
        let length: usize = std::str::from_utf8(&length)
            .unwrap()
            .trim_end()
            .parse()
            .unwrap();
        let mut message = vec![0; length];
        stream.read_exact(&mut message).unwrap();
        let message = String::from_utf8(message).unwrap();
        let json = message.splitn(8, ' ').nth(7).unwrap();
        assert_eq!(txns(json), [txn]);
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

/// Takes so many bytes, then fails.
struct Breaks(usize);

impl std::io::Write for Breaks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.0).min(7);
        self.0 -= taken;
        if taken == 0 {
            Err(std::io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(taken)
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_syslog_connection_counts_whole_frames_only() {
    let header = syslog::Header::new();
    let lines = b"first\nsecond\n";
    let frame_bytes = header.message(b"first").len();
    let first_frame = frame_bytes + frame_bytes.to_string().len() + 1;
    for (taken, expected) in [
        (0, None),
        (first_frame - 1, None),
        (first_frame, Some(6)),
        (first_frame + 5, Some(6)),
        (9999, Some(13)),
    ] {
        let written = syslog::write_frames(&mut Breaks(taken), &header, lines);
        assert_eq!(written.ok(), expected, "{taken}");
    }
}
