//! nginx as an origin, with a site of the test's own and a log of what it saw.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::pki::Identity;
use super::process::Process;
use super::programs::system;
use super::wait::wait_for;

/// A running nginx. Its root is `www` in the folder that it was given.
#[derive(Debug)]
pub(crate) struct Nginx {
    pub(crate) port: u16,
    log: PathBuf,
    _process: Process,
}

impl Nginx {
    /// Plain HTTP/1.1; `locations` are those of its only server.
    pub(crate) fn start(folder: &Path, locations: &str) -> Option<Self> {
        Self::start_with(folder, "", locations)
    }

    /// TLS, with HTTP/2 for those who take it.
    pub(crate) fn start_tls(folder: &Path, identity: &Identity, locations: &str) -> Option<Self> {
        let more = format!(
            "ssl_certificate {}; ssl_certificate_key {};\n{locations}",
            identity.certificate.display(),
            identity.key.display()
        );
        Self::start_with(folder, "ssl http2", &more)
    }

    fn start_with(folder: &Path, listen: &str, server: &str) -> Option<Self> {
        let program = system("nginx")?;
        std::fs::create_dir_all(folder.join("www")).unwrap();
        // nginx cannot choose a port itself: take a free one, and another if someone was faster.
        wait_for("nginx on a free port", || {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let config = folder.join("nginx.conf");
            std::fs::write(&config, configuration(folder, port, listen, server)).unwrap();
            Self::start_on(&program, folder, port)
        })
        .into()
    }

    fn start_on(program: &Path, folder: &Path, port: u16) -> Option<Self> {
        let mut process = Process::start(
            Command::new(program)
                .arg("-p")
                .arg(folder)
                .arg("-c")
                .arg(folder.join("nginx.conf")),
        );
        let is_up = wait_for("nginx", || {
            match std::net::TcpStream::connect(("127.0.0.1", port)) {
                Ok(_) => Some(true),
                Err(_) if !process.is_running() => Some(false),
                Err(_) => None,
            }
        });
        is_up.then(|| Self {
            port,
            log: folder.join("nginx.log"),
            _process: process,
        })
    }

    /// The lines of its access log, once there are `count`: request line, status, `Via`,
    /// `Proxy-Authorization` and the number of the connection, between bars.
    pub(crate) fn lines(&self, count: usize) -> Vec<String> {
        wait_for("lines in the log of nginx", || {
            let text = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
    }
}

fn configuration(folder: &Path, port: u16, listen: &str, server: &str) -> String {
    let here = folder.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {here}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; image/svg+xml svg; }}
    log_format seen '$request|$status|$http_via|$http_proxy_authorization|$connection';
    access_log {here}/nginx.log seen;
    client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
    gzip off;
    server {{
        listen 127.0.0.1:{port} {listen};
        root {here}/www;
        {server}
    }}
}}
"
    )
}
