//! A real Squid with a configuration, for as long as a test runs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names and their addresses; those at the end have none to look up but their own.
pub(crate) const HOSTS: &str = "192.0.2.1 a.test www.a.test
192.0.2.2 ok.test
192.0.2.3 evil.test www.evil.test notevil.test
10.0.0.7 intranet
192.0.2.99 reverse99.invalid
10.1.2.3 reverse10.invalid
2001:db8::1 reverse6.invalid
127.0.0.1 localhost
";

/// Where it takes what it allows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goes {
    Nowhere,
    Direct,
}

/// A Squid that ends with the test.
pub(crate) struct Squid {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Squid {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn program() -> Option<PathBuf> {
    let places = ["/usr/sbin/squid", "/usr/local/sbin/squid", "/usr/bin/squid"];
    places
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Squid {
    /// On a port that is free: another process may take it before Squid does.
    ///
    /// Where it never goes anywhere, what it allows ends at once with another error.
    pub(crate) fn start(program: &Path, folder: &Path, configuration: &str, goes: Goes) -> Self {
        let mut said = String::new();
        for _ in 0..5 {
            match Self::start_once(program, folder, configuration, goes) {
                Ok(squid) => return squid,
                Err(log) => said = log,
            }
        }
        panic!("Squid ended: {said}\n{configuration}");
    }

    /// What it said, if it ended.
    fn start_once(
        program: &Path,
        folder: &Path,
        configuration: &str,
        goes: Goes,
    ) -> Result<Self, String> {
        let port = free_port();
        let path = |name: &str| folder.join(name).display().to_string();
        fs::write(folder.join("hosts"), HOSTS).unwrap();
        let text = format!(
            "{configuration}\nhttp_port 127.0.0.1:{port}\npid_filename none\naccess_log none\n\
             cache_log {}\ncache_store_log none\ncache deny all\nhosts_file {}\ncoredump_dir none\n\
             dns_nameservers 127.0.0.1\ndns_timeout 1 second\n{}\n\
             visible_hostname squid.invalid\n",
            path("cache.log"),
            path("hosts"),
            match goes {
                Goes::Nowhere => "never_direct allow all",
                Goes::Direct => "always_direct allow all",
            },
        );
        let main = folder.join("started.conf");
        fs::write(&main, text).unwrap();
        let child = Command::new(program)
            .arg("-N")
            .arg("-f")
            .arg(&main)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let mut squid = Self { child, port };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = squid.child.try_wait().unwrap();
            let said = || {
                let files = ["stderr", "cache.log"].map(|name| folder.join(name));
                files
                    .map(|file| fs::read_to_string(file).unwrap_or_default())
                    .concat()
            };
            if ended.is_some() {
                return Err(said());
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(squid)
    }
}

/// Connects from an address of this machine.
pub(crate) fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}
