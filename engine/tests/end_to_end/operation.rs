//! Running it: drain, reopened logs, `check`, refusal to start, epoll.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::access_log::{AccessLog, assert_fields};
use crate::common::process::Process;
use crate::common::programs::{sallyport, sallyport_load, sallyport_rules, skip, system};
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Origin, Proxy, ScriptedOrigin};

/// An origin that answers when told to.
pub(crate) fn held_origin() -> (ScriptedOrigin, std::sync::mpsc::Sender<()>) {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let origin = ScriptedOrigin::start(move |mut accepted, notebook| {
        let request = accepted.request();
        notebook.note(request);
        accepted.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
        released.lock().unwrap().recv().unwrap();
        accepted.send("half");
        accepted.connection.rest();
    });
    (origin, release)
}

#[test]
fn sigterm_drains() {
    let mut proxy = Setup::new().key("shards", "2").start(ALLOW_ALL);
    let origin = Origin::start();
    let (held, release) = held_origin();
    let mut idle = proxy.connection();
    assert_eq!(idle.get(&origin.url("/")).status, 200);
    let mut busy = proxy.connection();
    busy.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
        held.url("/"),
        held.address
    ));
    held.requests(1);
    busy.head();
    let slow = origin.url("/bytes/5?delay=400");
    let mut asking = proxy.connection();
    asking.send(format!(
        "GET {slow} HTTP/1.1\r\nHost: {}\r\n\r\n",
        origin.address
    ));
    wait_for("the slow request at the origin", || {
        (origin.count().1 >= 2).then_some(())
    });
    proxy.signal(Signal::SIGTERM);
    idle.assert_closed();
    let answer = asking.response();
    assert_eq!((answer.status, answer.body.len()), (200, 5));
    assert!(answer.says_close(), "{answer:?}");
    asking.assert_closed();
    assert!(
        std::net::TcpStream::connect(proxy.address).is_err(),
        "nobody is accepted any more"
    );
    assert!(proxy.process.is_running(), "a request is still in flight");
    release.send(()).unwrap();
    assert_eq!(busy.bytes(8), b"halfhalf");
    assert_eq!(proxy.process.wait_end().code(), Some(0));
    // Every line was written before the end.
    assert_eq!(proxy.log.of("transaction").len(), 3);
}

#[test]
fn a_drain_ends_after_its_timeout_and_at_once_when_asked_twice() {
    for (timeout, twice) in [("\"300ms\"", false), ("\"1h\"", true)] {
        let mut proxy = Setup::new().key("drain.timeout", timeout).start(ALLOW_ALL);
        let (held, _release) = held_origin();
        let mut busy = proxy.connection();
        busy.send(format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
            held.url("/"),
            held.address
        ));
        held.requests(1);
        proxy.signal(Signal::SIGTERM);
        if twice {
            proxy.wait_message("the drain", |_, text| text == "draining");
            proxy.signal(Signal::SIGTERM);
        }
        let started = Instant::now();
        assert_eq!(proxy.process.wait_end().code(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(10));
        let line = proxy.log.transaction();
        assert!(
            line["error"].is_string(),
            "the cut request is logged as such: {line}"
        );
    }
}

#[test]
fn sigusr1_reopens_the_log() {
    let proxy = Proxy::open();
    let origin = Origin::start();
    let mut client = proxy.connection();
    client.get(&origin.url("/bytes/1"));
    proxy.log.transactions(1);
    let old = AccessLog {
        path: proxy.folder().join("access.old"),
    };
    std::fs::rename(&proxy.log.path, &old.path).unwrap();
    client.get(&origin.url("/bytes/2"));
    old.transactions(2);
    proxy.signal(Signal::SIGUSR1);
    wait_for("the new file", || proxy.log.path.exists().then_some(()));
    client.get(&origin.url("/bytes/3"));
    assert_fields(&proxy.log.transaction(), &json!({ "uri": "/bytes/3" }));
    assert_eq!(old.of("transaction").len(), 2);
}

fn run(arguments: &[&str], config: &Path) -> (Output, String) {
    let output = sallyport()
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, said)
}

#[test]
fn check_does_all_but_listen() {
    let setup = Setup::new();
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let config = setup.write();
    let (output, said) = run(&["check"], &config);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("usable"), "{said}");
    let good = std::fs::read_to_string(&config).unwrap();
    let cases: &[(&str, &[&str])] = &[
        ("shards = \"many\"", &["sallyport.toml", "shards"]),
        ("shard = 1", &["sallyport.toml", "shard"]),
        ("shards = 0", &["sallyport.toml", "shards"]),
        ("ruleset = \"missing.spb\"", &["missing.spb"]),
        (
            "log.access = \"missing/a.jsonl\"",
            &["access log", "missing/a.jsonl"],
        ),
        ("log.access = \"/dev\"", &["access log", "/dev"]),
        ("responses.page = \"missing.html\"", &["missing.html"]),
        ("trusted_keys = [\"missing.pem\"]", &["missing.pem"]),
    ];
    for (line, expected) in cases {
        let key = line.split(' ').next().unwrap();
        let kept = good
            .lines()
            .filter(|other| other.split(' ').next() != Some(key));
        let kept: Vec<_> = kept.collect();
        std::fs::write(&config, format!("{line}\n{}", kept.join("\n"))).unwrap();
        for command in ["check", "run"] {
            let (output, said) = run(&[command], &config);
            assert_eq!(
                output.status.code(),
                Some(1),
                "{command} with {line}: {said}"
            );
            for word in *expected {
                assert!(
                    said.contains(word),
                    "{command} with {line}: {word} in {said}"
                );
            }
        }
    }
    std::fs::write(&config, &good).unwrap();
    std::fs::write(setup.path("rules.spb"), "no bundle").unwrap();
    let (output, said) = run(&["check"], &config);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("rules.spb"), "{said}");
}

/// Which file, where in it, what is wrong, what was expected; and where the file is named.
#[test]
fn revocation_lists_that_cannot_be_used_are_told() {
    let (setup, _) = Setup::intercepting();
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let list = "-----BEGIN X509 CRL-----\nMAIFAA==\n-----END X509 CRL-----\n";
    setup.write_file("revoked.crl", list.as_bytes());
    let setup = setup.key("tls.upstream.crls", "[\"revoked.crl\"]");
    for command in ["check", "run"] {
        let (output, said) = run(&[command], &setup.write());
        assert_eq!(output.status.code(), Some(1), "{said}");
        for words in [
            "line ",
            "tls.upstream.crls",
            "revoked.crl: revocation list 1 of 1: ",
            "is not the DER of a revocation list",
            "; expected a complete certificate revocation list (version 2",
        ] {
            assert!(said.contains(words), "{words} in {said}");
        }
    }
}

/// An address that is not this machine's is found by `check`; one that is in use is left to whoever uses it,
/// and a sink that is away is told.
#[test]
fn check_looks_at_addresses_and_sinks() {
    let setup = Setup::new().listener("192.0.2.1:3128".parse().unwrap());
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    for command in ["check", "run"] {
        let (output, said) = run(&[command], &setup.write());
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("192.0.2.1:3128"), "{said}");
    }
    let proxy = Proxy::open();
    let setup = Setup::new()
        .listener(proxy.address)
        .key("log.access", "\"unix:nobody.sock\"");
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let (output, said) = run(&["check"], &setup.write());
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("note: ") && said.contains("nobody.sock"),
        "{said}"
    );
    assert!(!setup.path("access.jsonl").exists());
}

#[test]
fn a_second_process_on_the_same_port_is_refused() {
    let proxy = Proxy::open();
    let setup = Setup::new().listener(proxy.address);
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let (output, said) = run(&["run"], &setup.write());
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&proxy.address.to_string()) && said.contains("in use"),
        "{said}"
    );
    // A stranger's socket is respected as well.
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup::new().listener(stranger.local_addr().unwrap());
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let (output, said) = run(&["run"], &setup.write());
    assert_eq!(output.status.code(), Some(1), "{said}");
}

/// A process that was killed leaves nothing behind that keeps the next one from its port.
#[test]
fn it_starts_again_after_a_kill_under_load() {
    let mut proxy = Proxy::open();
    let origin = Origin::start();
    let address = proxy.address;
    let mut clients: Vec<_> = (0..5).map(|_| proxy.connection()).collect();
    for client in &mut clients {
        assert_eq!(client.get(&origin.url("/")).status, 200);
    }
    let before = proxy.log.transactions(5);
    proxy.signal(Signal::SIGKILL);
    proxy.process.wait_end();
    let Proxy { setup, .. } = proxy;
    let proxy = setup.listener(address).start(ALLOW_ALL);
    assert_eq!(proxy.address, address);
    assert_eq!(proxy.connection().get(&origin.url("/")).status, 200);
    let lines = proxy.log.transactions(6);
    assert_ne!(lines[5]["txn"], before[0]["txn"], "ids do not start again");
}

/// A full disk stops the log, not the service, and is said once.
#[test]
fn a_full_disk_does_not_stop_service() {
    let mut proxy = Setup::new()
        .key("log.access", "\"/dev/full\"")
        .start(ALLOW_ALL);
    let origin = Origin::start();
    let mut client = proxy.connection();
    assert_eq!(client.get(&origin.url("/")).status, 200);
    proxy.wait_message("the complaint", |level, text| {
        level == "ERROR" && text.contains("cannot be written")
    });
    for _ in 0..50 {
        assert_eq!(client.get(&origin.url("/")).status, 200);
    }
    let lines = proxy.process.lines();
    let complaints = lines.iter().filter(|line| line.contains("\"ERROR\""));
    assert_eq!(complaints.count(), 1, "{lines:#?}");
}

/// Takes system calls away (EPERM, as container profiles do), those whose numbers come before `--`,
/// and becomes the command behind it.
const WITHOUT_SYSTEM_CALLS: &str = r#"
import ctypes, os, platform, struct, sys
if platform.machine() not in ("x86_64", "aarch64"): sys.exit("unknown machine")
end = sys.argv.index("--")
refused = [int(number) for number in sys.argv[1:end]]
instructions = [(0x20, 0, 0, 0)]
for index, number in enumerate(refused): instructions.append((0x15, len(refused) - index, 0, number))
instructions += [(0x06, 0, 0, 0x7fff0000), (0x06, 0, 0, 0x00050001)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in instructions))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program(len(instructions), ctypes.addressof(filter))
libc = ctypes.CDLL(None, use_errno=True)
zero = ctypes.c_ulong(0)
if libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero): sys.exit("no_new_privs")
if libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(program), zero, zero): sys.exit("seccomp")
os.execv(sys.argv[end + 1], sys.argv[end + 1:])
"#;

// The same numbers on every machine.
const IO_URING_SETUP: &str = "425";
const IO_URING_ENTER: &str = "426";

/// A command that ends in the binary and runs it without some system calls; `None` where that cannot be.
fn without_system_call(number: &str) -> Option<Command> {
    let python = system("python3")?;
    let wrapped = |program: &str| {
        let mut command = Command::new(&python);
        command.args(["-c", WITHOUT_SYSTEM_CALLS, number, "--", program]);
        command
    };
    let probe = wrapped("/bin/true").output().unwrap();
    if !probe.status.success() {
        let said = String::from_utf8_lossy(&probe.stderr);
        skip(&format!("seccomp cannot be used: {said}"));
        return None;
    }
    Some(wrapped(env!("CARGO_BIN_EXE_sallyport")))
}

/// A ring that cannot be made, and one that can be made and not be used.
#[test]
fn without_io_uring_it_falls_back_to_epoll() {
    for (system_call, reason) in [
        (IO_URING_SETUP, "Operation not permitted"),
        (IO_URING_ENTER, "io_uring_enter: Operation not permitted"),
    ] {
        let Some(mut command) = without_system_call(system_call) else {
            return;
        };
        let setup = Setup::new().key("shards", "2").key("io.driver", "\"auto\"");
        ALLOW_ALL.compile(&setup.path("rules.spb"));
        let mut proxy = setup.start_with(&mut command);
        assert_eq!(proxy.driver, "epoll");
        let warning = proxy.wait_message("the warning", |level, text| {
            level == "WARN" && text.contains("epoll")
        });
        let said = warning["error"].as_str().unwrap();
        assert!(said.contains(reason), "{warning}");
        serves_and_ends(proxy);
    }
}

/// Requests, a tunnel, log lines, an end.
fn serves_and_ends(mut proxy: Proxy) {
    let origin = Origin::start();
    let mut client = proxy.connection();
    for bytes in [0, 1, 200_000] {
        let answer = client.get(&origin.url(&format!("/bytes/{bytes}")));
        assert_eq!(answer.body.len(), bytes);
    }
    let mut tunnel = proxy.connection();
    tunnel.connect(&origin.address.to_string()).unwrap();
    tunnel.send(format!(
        "GET /bytes/7 HTTP/1.1\r\nHost: {}\r\n\r\n",
        origin.address
    ));
    assert_eq!(tunnel.response().body.len(), 7);
    drop((client, tunnel));
    proxy.log.transactions(5);
    proxy.signal(Signal::SIGTERM);
    assert_eq!(proxy.process.wait_end().code(), Some(0));
}

/// `"epoll"` is epoll, and `"io_uring"` is io_uring or nothing, for `check` too.
#[test]
fn the_driver_that_is_asked_for_is_the_one_that_runs() {
    let proxy = Setup::new().key("io.driver", "\"epoll\"").start(ALLOW_ALL);
    assert_eq!(proxy.driver, "epoll");
    serves_and_ends(proxy);
    for system_call in [IO_URING_SETUP, IO_URING_ENTER] {
        let setup = Setup::new().key("io.driver", "\"io_uring\"");
        ALLOW_ALL.compile(&setup.path("rules.spb"));
        let config = setup.write();
        for subcommand in ["run", "check"] {
            let Some(mut command) = without_system_call(system_call) else {
                return;
            };
            let output = command
                .args([subcommand, "--config"])
                .arg(&config)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            for word in ["io.driver", "not permitted", "seccomp"] {
                assert!(said.contains(word), "{word} in {said}");
            }
        }
    }
}

/// From its first moment on no signal ends the process otherwise than in order: it is sent over and
/// over while the process starts.
#[test]
fn signals_that_come_early_wait_for_their_time() {
    for signal in [Signal::SIGHUP, Signal::SIGUSR1] {
        let setup = Setup::new();
        ALLOW_ALL.compile(&setup.path("rules.spb"));
        let config = setup.write();
        let mut process = Process::start(sallyport().args(["run", "--config"]).arg(config));
        handles_signals(&process);
        let started = std::cell::Cell::new(false);
        while !started.get() {
            process.signal(signal);
            let lines = process.lines();
            started.set(lines.iter().any(|line| line.contains("\"listening\"")));
            assert!(process.is_running(), "{signal}: {lines:#?}");
        }
        process.signal(Signal::SIGTERM);
        assert_eq!(process.wait_end().code(), Some(0));
    }
    let setup = Setup::new();
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let config = setup.write();
    let mut process = Process::start(sallyport().args(["run", "--config"]).arg(config));
    handles_signals(&process);
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait_end().code(), Some(0));
    let lines = process.lines();
    assert!(
        lines.iter().any(|line| line.contains("\"ended\"")),
        "{lines:#?}"
    );
}

/// Waits until the process holds its signals back, which it does before anything else of its own: no
/// program can say what happens to signals while the kernel and the loader are still at work.
fn handles_signals(process: &Process) {
    let status = format!("/proc/{}/status", process.pid());
    wait_for("the signals to be held back", || {
        let status = std::fs::read_to_string(&status).ok()?;
        let blocked = status
            .lines()
            .find_map(|line| line.strip_prefix("SigBlk:"))?;
        let blocked = u64::from_str_radix(blocked.trim(), 16).ok()?;
        (blocked & 1 << (Signal::SIGHUP as i32 - 1) != 0).then_some(())
    });
}

/// The tour runs to its end by itself.
#[test]
fn the_demo_ends_well() {
    // Both programs are there when these return. Without the variable the demo takes them as they
    // are: a build under a test run would have other features and take minutes.
    sallyport_rules();
    sallyport_load();
    let mut command = sallyport();
    let mut demo = Process::start(command.args(["demo", "--once"]).env_remove("CARGO"));
    let status = demo.wait_end();
    assert!(status.success(), "{}", demo.lines().join("\n"));
}
