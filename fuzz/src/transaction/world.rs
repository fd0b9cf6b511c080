//! What scripts are played in: one proxy and one origin for the whole process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::panic;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sallyport::process::{RunOptions, run};
use sallyport_rules::pipeline::{Options, compile_str};
use sallyport_rules::source::MemoryFiles;

use super::seen::Answers;

/// The names that scripts may use; only the first may be spoken to.
const HOSTS: &str = "\"allowed.test\" = [\"127.0.0.1\"]\n\"denied.test\" = [\"127.0.0.1\"]\n";

/// What `seen` holds both sides to.
const RULESET: &str = r#"
[defaults]
pre_dns = "deny"
pre_request = "allow"
post_response = "allow"
[[group]]
priority = 1
name = "fuzz"
[[group.pre_dns]]
name = "the-host"
action = "allow"
when."request:DestinationDomain" = { StringEquals = "allowed.test" }
[[group.pre_request]]
name = "no-path"
action = "deny"
when."request:Http:Uri" = { StringLike = "/denied*" }
[[group.pre_request]]
name = "no-field"
action = "deny"
when."request:Http:Header/X-Denied" = { Null = false }
[[group.post_response]]
name = "no-type"
action = "deny"
when."response:Http:ContentType" = { StringEquals = "application/x-denied" }
"#;

/// How long a proxy takes that is well: to start, to write a line. Less than what `fuzz/run-short` gives
/// an input, so that it is said what is missing.
const PATIENCE: Duration = Duration::from_secs(20);

static PANICS: AtomicUsize = AtomicUsize::new(0);

pub(super) struct World {
    proxy: SocketAddr,
    origin: TcpListener,
    log: std::path::PathBuf,
}

impl World {
    /// Started by who asks first; ends with the process.
    pub(super) fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(Self::start)
    }

    fn start() -> Self {
        count_panics();
        let folder = std::env::temp_dir().join(format!("sallyport-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the proxy");
        write_bundle(&folder.join("rules.spb"));
        let log = folder.join("access.jsonl");
        File::create(&log).expect("a log");
        let proxy = free_address();
        let config = folder.join("sallyport.toml");
        fs::write(&config, configuration(proxy)).expect("a configuration");
        let options = RunOptions {
            config,
            ruleset: None,
        };
        thread::spawn(move || panic!("the proxy ended: {:?}", run(&options)));
        let begun = Instant::now();
        while TcpStream::connect(proxy).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the proxy does not start");
            thread::sleep(Duration::from_millis(5));
        }
        let origin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("an origin");
        origin
            .set_nonblocking(true)
            .expect("a socket that does not block");
        Self { proxy, origin, log }
    }

    pub(super) fn panics(&self) -> usize {
        PANICS.load(Ordering::SeqCst)
    }

    pub(super) const fn origin(&self) -> &TcpListener {
        &self.origin
    }

    pub(super) fn origin_port(&self) -> u16 {
        self.origin.local_addr().expect("it is bound").port()
    }

    pub(super) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy).expect("the proxy accepts")
    }

    /// The connection from `client_port` has a line for each of `answers`, and for at most one request
    /// besides, that got none.
    pub(super) fn check_log(&self, client_port: u16, answers: Answers) {
        // The line of another connection, which began when that one had ended, comes behind its lines.
        let mut last = self.connect();
        let port = last.local_addr().expect("it is connected").port();
        last.write_all(b"GET http://denied.test/last HTTP/1.1\r\nHost: denied.test\r\nConnection: close\r\n\r\n")
            .expect("the proxy reads");
        let mut answer = Vec::new();
        last.read_to_end(&mut answer).expect("the proxy answers");
        assert!(
            answer.starts_with(b"HTTP/1.1 403 "),
            "{}",
            answer.escape_ascii()
        );
        let begun = Instant::now();
        let (lines, count) = loop {
            let lines = self.lines();
            let of = |port| {
                let of_port = lines.iter().filter(|line| is_transaction_of(line, port));
                of_port.count()
            };
            let (count, has_last) = (of(client_port), of(port) > 0);
            // A client that went away is noticed a little later, and its line is written then.
            if has_last && count >= answers.at_least {
                break (lines, count);
            }
            let is_late = begun.elapsed() >= PATIENCE;
            assert!(!is_late || has_last, "no line of the last request");
            if is_late {
                break (lines, count);
            }
            thread::sleep(Duration::from_micros(200));
        };
        let is_right = if answers.are_all {
            (answers.at_least..=answers.at_least + 1).contains(&count)
        } else {
            count >= answers.at_least
        };
        assert!(
            is_right,
            "{count} lines, {answers:?}:\n{}",
            lines.join("\n")
        );
        File::create(&self.log).expect("the log can be emptied");
    }

    fn lines(&self) -> Vec<String> {
        let log = File::open(&self.log).expect("the log is there");
        BufReader::new(log).lines().map_while(Result::ok).collect()
    }
}

fn is_transaction_of(line: &str, client_port: u16) -> bool {
    line.contains(r#""event":"transaction""#)
        && line.contains(&format!(r#""client_port":{client_port},"#))
}

/// Also of those that the proxy catches.
fn count_panics() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        told(info);
    }));
}

fn write_bundle(path: &Path) {
    let compiled = compile_str(RULESET, MemoryFiles::default(), &Options::default());
    let compiled = compiled.expect("the ruleset is not too large");
    let emitted = compiled.emitted.expect("the ruleset compiles");
    fs::write(path, emitted.bytes).expect("a bundle");
}

/// One that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// Waits are so short that no script has to be waited for.
fn configuration(proxy: SocketAddr) -> String {
    format!(
        "ruleset = \"rules.spb\"\nshards = 1\nadmin.listen = \"off\"\n\
         [[listener]]\naddress = \"{proxy}\"\n\
         [guard]\nallow = [\"127.0.0.0/8\"]\nports = \"any\"\n\
         [hosts]\n{HOSTS}\
         [dns]\nservers = [\"127.0.0.1:9\"]\nattempts = 1\nlookup_timeout = \"100ms\"\n\
         [timeouts]\nhead = \"300ms\"\nkeep_alive = \"300ms\"\nresponse = \"300ms\"\n\
         body_idle = \"300ms\"\nupload_idle = \"300ms\"\nlinger = \"50ms\"\n\
         [tunnel]\nidle_timeout = \"300ms\"\nsniff_timeout = \"300ms\"\n\
         [log]\naccess = \"access.jsonl\"\nflush_interval = \"1ms\"\nlevel = \"error\"\n"
    )
}
