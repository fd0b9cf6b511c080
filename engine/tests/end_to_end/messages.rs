//! The process's own messages: nobody waits for standard error, and no kind of message floods it.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::common::access_log::AccessLog;
use crate::common::programs::sallyport;
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Connection, Origin};

/// A pipe that is full and that nobody reads; its other end is kept open with it.
fn full_pipe() -> (File, File) {
    let (read, write) = nix::unistd::pipe().unwrap();
    fcntl(&write, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut write = File::from(write);
    while write.write(&[b'x'; 4096]).is_ok() {}
    while write.write(b"x").is_ok() {}
    fcntl(write.as_fd(), FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    (File::from(read), write)
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Ends with its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal).unwrap();
    }

    fn wait_code(&mut self) -> Option<i32> {
        wait_for("the end of the process", || self.0.try_wait().unwrap()).code()
    }
}

/// It starts, serves, reloads and ends, though not a byte of what it says is taken.
#[test]
fn standard_error_that_nobody_reads_holds_nothing_up() {
    let address = free_address();
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    let setup = setup
        .listener(address)
        .key("log.level", "\"trace\"")
        .key("timeouts.tls_handshake", "\"1s\"");
    let (setup, https) = crate::intercepted_clients::with_https(setup, "");
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let (_read, write) = full_pipe();
    let config = setup.write();
    let mut command = sallyport();
    command.args(["run", "--config"]).arg(&config);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut process = Ended(command.stderr(write).spawn().unwrap());
    wait_for("the port", || TcpStream::connect(address).ok());
    let origin = Origin::start();
    for round in 0..40 {
        let mut refused = Connection::open(SocketAddr::from(([127, 0, 0, 1], https)));
        refused.send("not TLS at all\r\n\r\n").rest();
        if round % 10 == 0 {
            process.signal(Signal::SIGHUP);
        }
        let mut client = Connection::open(address);
        assert_eq!(client.get(&origin.url("/bytes/10")).status, 200);
    }
    let log = AccessLog {
        path: setup.path("access.jsonl"),
    };
    log.transactions(40);
    let asked = Instant::now();
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait_code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10));
    // The complaint of one that does not start is not waited for either.
    std::fs::write(setup.path("rules.spb"), "no bundle").unwrap();
    let (_read, write) = full_pipe();
    let mut command = sallyport();
    command.args(["run", "--config"]).arg(&config);
    let mut process = Ended(command.stderr(write).spawn().unwrap());
    assert_eq!(process.wait_code(), Some(1));
}

/// Twenty at once and one a second of each kind; how many were held back is told, at the latest at the end.
#[test]
fn a_kind_of_message_is_limited_and_counted() {
    let mut proxy = Setup::new().start(ALLOW_ALL);
    std::fs::write(proxy.setup.path("sallyport.toml"), "nonsense").unwrap();
    let refused = |line: &str| line.contains("reload refused") && line.contains("\"ERROR\"");
    let began = Instant::now();
    // Signals of one kind that come at once are one: they are sent until there were enough.
    while began.elapsed() < Duration::from_millis(1500) {
        proxy.signal(Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(5));
    }
    proxy.signal(Signal::SIGTERM);
    assert_eq!(proxy.process.wait_end().code(), Some(0));
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    let lines = proxy.process.lines();
    let told = lines.iter().filter(|line| refused(line)).count();
    assert!((20..=22 + seconds).contains(&told), "{told}");
    let suppressed: Vec<Value> = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["fields"]["message"] == "messages of one kind were suppressed")
        .collect();
    let count: u64 = suppressed
        .iter()
        .map(|line| line["fields"]["count"].as_u64().unwrap())
        .sum();
    assert!(count > 20, "{suppressed:#?}");
    let kind = suppressed[0]["fields"]["kind"].as_str().unwrap();
    assert!(kind.starts_with("reload refused"), "{kind}");
    assert!(lines.iter().any(|line| line.contains("\"ended\"")));
}
