//! The clients that people use, inside intercepted tunnels, with nginx behind: Chromium, Node, Python.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::nginx::Nginx;
use crate::common::pki::Pki;
use crate::common::process::Process;
use crate::common::programs::{node_with, python_with, system};
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{ALLOW_ALL, Proxy, Rules, ScriptedOrigin};
use crate::python;

const RULES: Rules<'_> = Rules(
    r#"
[[group]]
priority = 1
name = "inside"
[[group.pre_request]]
name = "no-secrets"
action = "deny"
when."request:Http:Uri" = { StringLike = "/secret*" }
"#,
);

const PAGE_BYTES: usize = 11_000;
const LARGE_BYTES: usize = 20_000_000;

/// An intercepting proxy and nginx behind it, with a page, a large file and a place for uploads.
struct World {
    proxy: Proxy,
    pki: Pki,
    nginx: Nginx,
    /// What nginx hands the uploads to.
    uploads: ScriptedOrigin,
}

impl World {
    fn start() -> Option<Self> {
        let (setup, pki) = Setup::intercepting();
        let folder = setup.folder.path();
        let root = folder.join("www");
        fs::create_dir(&root).unwrap();
        fs::write(
            root.join("page.html"),
            "<p>page</p>".repeat(PAGE_BYTES / 11),
        )
        .unwrap();
        fs::File::create(root.join("large"))
            .and_then(|file| file.set_len(LARGE_BYTES as u64))
            .unwrap();
        let uploads = ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let locations = format!(
            "client_max_body_size 0; location = /upload {{ proxy_pass {}; proxy_http_version 1.1; }}",
            uploads.url("")
        );
        let nginx = Nginx::start_tls(folder, &pki.origin(&["a.test"]), &locations)?;
        Some(Self {
            proxy: setup.start(RULES),
            pki,
            nginx,
            uploads,
        })
    }

    fn url(&self) -> String {
        format!("https://a.test:{}", self.nginx.port)
    }

    /// The lines of requests to this origin inside tunnels, once there are `count`. Browsers also
    /// ask others for things of their own.
    fn assert_inner_lines(&self, count: usize) -> Vec<Value> {
        let lines = wait_for("a line for each request inside", || {
            let mut lines = self.proxy.log.of("transaction");
            lines.retain(|line| line["domain"] == "a.test" && line["method"] != "CONNECT");
            (lines.len() >= count).then_some(lines)
        });
        assert_eq!(lines.len(), count, "{lines:#?}");
        for line in &lines {
            let expected = json!({ "tls_mode": "intercept", "proto": "https", "sni": "a.test" });
            assert_fields(line, &expected);
            let is_denied = line["uri"] == "/secret";
            assert_eq!(line["rule"] == "no-secrets", is_denied, "{line:#}");
        }
        lines
    }

    /// nginx saw `count` requests, all over HTTP/2, and none that was denied.
    fn assert_nginx_saw(&self, count: usize) {
        let lines = self.nginx.lines(count);
        assert_eq!(lines.len(), count, "{lines:#?}");
        for line in &lines {
            assert!(line.contains(" HTTP/2.0|"), "{line}");
            assert!(line.contains("sallyport"), "{line}");
            assert!(!line.contains("/secret"), "{line}");
        }
    }

    fn assert_uploaded(&self, bytes: usize) {
        assert_eq!(self.uploads.requests(1)[0].body.len(), bytes);
    }
}

/// A page with what a page has: [`SUB_RESOURCES`], and one image that is denied.
fn write_site(root: &Path) {
    let mut head = String::new();
    let mut body = String::new();
    for index in 0..2 {
        let style = format!("#styled {{ margin-{}: 7px; }}", ["top", "left"][index]);
        fs::write(root.join(format!("{index}.css")), style).unwrap();
        writeln!(head, "<link rel=stylesheet href={index}.css>").unwrap();
    }
    for index in 0..4 {
        let script = format!("window.ran = (window.ran || 0) + 1; // {index}");
        fs::write(root.join(format!("{index}.js")), script).unwrap();
        writeln!(head, "<script src={index}.js></script>").unwrap();
    }
    for index in 0..6 {
        let side = 10 + index;
        let image = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{side}' height='{side}'>\
             <rect width='{side}' height='{side}' fill='teal'/></svg>"
        );
        fs::write(root.join(format!("{index}.svg")), image).unwrap();
        writeln!(body, "<img src={index}.svg>").unwrap();
    }
    let page = format!(
        "<!doctype html><html><head><meta charset=utf-8><link rel=icon href=data:,>\n{head}</head>\n\
         <body><p id=styled>A page</p>\n{body}<img src=secret onerror='window.denied = true'>\n\
         <pre id=seen></pre>\n<script>{REPORT}</script></body></html>\n"
    );
    fs::write(root.join("index.html"), page).unwrap();
}

const SUB_RESOURCES: usize = 12;

/// Writes what became of the page into it, on one line.
const REPORT: &str = r#"
addEventListener("load", () => {
  const style = getComputedStyle(document.getElementById("styled"));
  const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  document.getElementById("seen").textContent = JSON.stringify({
    style: [style.marginTop, style.marginLeft],
    scripts: window.ran,
    images: [...document.images].map((image) => image.naturalWidth),
    denied: window.denied,
    protocols: [...new Set(entries.map((entry) => entry.nextHopProtocol))],
  });
});
"#;

/// A home whose NSS database trusts the authority, as `docs/tls.md` says it.
fn home_that_trusts(certutil: &Path, folder: &Path, authority: &str) -> PathBuf {
    let home = folder.join("home");
    let database = home.join(".pki/nssdb");
    fs::create_dir_all(&database).unwrap();
    let database = format!("sql:{}", database.display());
    let run = |arguments: &[&str]| {
        let output = Command::new(certutil)
            .args(["-d", &database])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "certutil {arguments:?}: {output:?}"
        );
    };
    run(&["-N", "--empty-password"]);
    run(&["-A", "-t", "C,,", "-n", "sallyport", "-i", authority]);
    home
}

/// Chromium believes the minted certificate, and fetches a page and all that belongs to it over HTTP/2.
#[test]
fn chromium_loads_a_page() {
    let (Some(chromium), Some(certutil)) = (system("chromium"), system("certutil")) else {
        return;
    };
    let Some(world) = World::start() else { return };
    let folder = world.proxy.folder();
    write_site(&folder.join("www"));
    let home = home_that_trusts(&certutil, folder, &world.pki.authority());
    let mut command = Command::new(chromium);
    // Without its sandbox, which root and most containers cannot have.
    command
        .env("HOME", &home)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args(["--disable-dev-shm-usage", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--dump-dom"])
        .arg(format!(
            "--user-data-dir={}",
            home.join("profile").display()
        ))
        .arg(format!("--proxy-server={}", world.proxy.url()))
        .arg(format!("{}/", world.url()));
    let mut browser = Process::start(&mut command);
    let seen: Value = browser.wait_line("the page", |line| {
        let report = line.split_once("<pre id=\"seen\">")?.1;
        serde_json::from_str(report.split_once("</pre>")?.0).ok()
    });
    browser.wait_end();
    let expected = json!({
        "style": ["7px", "7px"],
        "scripts": 4,
        "images": [10, 11, 12, 13, 14, 15, 0],
        "denied": true,
        "protocols": ["h2"],
    });
    assert_eq!(seen, expected);
    // The page, what belongs to it, and what was denied.
    let lines = world.assert_inner_lines(SUB_RESOURCES + 2);
    let fetched = lines.iter().filter(|line| line["status"] == 200).count();
    assert_eq!(fetched, SUB_RESOURCES + 1, "{lines:#?}");
    world.assert_nginx_saw(SUB_RESOURCES + 1);
}

/// What Node trusts is in `NODE_EXTRA_CA_CERTS`; its http2 and its https.
#[test]
fn node() {
    let Some(node) = system("node") else { return };
    let Some(world) = World::start() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/data/tls_client.js");
    let output = Command::new(node)
        .env("NODE_EXTRA_CA_CERTS", world.pki.authority())
        .arg(script)
        .arg(world.proxy.address.port().to_string())
        .arg(format!("a.test:{}", world.nginx.port))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({
        "h2": { "protocol": "h2", "issuer": "Test Interception", "bytes": 100 * PAGE_BYTES,
            "large": LARGE_BYTES, "posted": 200, "denied": 403 },
        "h1": [200, "1.1", PAGE_BYTES],
    });
    assert_eq!(seen, expected);
    world.assert_uploaded(1_000_000);
    world.assert_inner_lines(104);
    world.assert_nginx_saw(103);
}

/// undici's ProxyAgent in many tunnels, over HTTP/1.1 and over HTTP/2.
#[test]
fn node_undici() {
    let Some(mut node) = node_with("undici") else {
        return;
    };
    let Some(world) = World::start() else { return };
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/data/undici_client.js");
    let output = node
        .env("NODE_EXTRA_CA_CERTS", world.pki.authority())
        .arg(script)
        .args([world.proxy.url(), world.url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |agreed: &str| {
        json!({ "bytes": 50 * PAGE_BYTES, "large": LARGE_BYTES, "posted": 200, "denied": 403,
            "fetched": PAGE_BYTES, "agreed": [agreed] })
    };
    let expected = json!({
        "h1": of("http/1.1,true"),
        "h2": of("h2,true"),
    });
    assert_eq!(seen, expected);
    world.assert_uploaded(1_000_000);
    world.assert_inner_lines(2 * 54);
    world.assert_nginx_saw(2 * 53);
}

/// The script of Python's clients, for one of them.
fn python_client(packages: &[&str], arguments: &[&str]) -> Option<Value> {
    let python = python_with(packages)?;
    let arguments = [&packages[..1], arguments].concat();
    Some(python::run(&python, "tls_clients.py", &arguments))
}

/// HTTP/2: a hundred streams at once, a large body each way.
#[test]
fn python_httpx() {
    let Some(world) = World::start() else { return };
    let arguments = [&*world.proxy.url(), &world.pki.authority(), &world.url()];
    let Some(seen) = python_client(&["httpx", "h2"], &arguments) else {
        return;
    };
    let expected = json!({
        "versions": ["HTTP/2"], "bytes": 100 * PAGE_BYTES, "large": LARGE_BYTES, "posted": 200,
        "missing": 404, "denied": [403, true],
    });
    assert_eq!(seen, expected);
    world.assert_uploaded(1_000_000);
    world.assert_inner_lines(105);
    world.assert_nginx_saw(104);
    let tunnels = world.proxy.log.of("transaction");
    let tunnels = tunnels.iter().filter(|line| line["method"] == "CONNECT");
    assert_eq!(tunnels.count(), 1, "one tunnel for all of them");
}

/// HTTP/1.1 in many tunnels at once, HTTP/2 behind them.
#[test]
fn python_aiohttp() {
    let Some(world) = World::start() else { return };
    let arguments = [&*world.proxy.url(), &world.pki.authority(), &world.url()];
    let Some(seen) = python_client(&["aiohttp"], &arguments) else {
        return;
    };
    let expected = json!({
        "bytes": 100 * PAGE_BYTES, "large": LARGE_BYTES, "posted": 200, "denied": 403,
    });
    assert_eq!(seen, expected);
    world.assert_uploaded(1_000_000);
    world.assert_inner_lines(103);
    world.assert_nginx_saw(102);
}

/// A WebSocket inside TLS: its handshake is judged and logged, its messages pass both ways.
#[test]
fn python_websockets() {
    let (setup, pki) = Setup::intercepting();
    let identity = pki.origin(&["a.test"]);
    let proxy = setup.start(ALLOW_ALL);
    let arguments = [
        &*proxy.url(),
        &pki.authority(),
        identity.certificate.to_str().unwrap(),
        identity.key.to_str().unwrap(),
    ];
    let Some(seen) = python_client(&["websockets"], &arguments) else {
        return;
    };
    let expected = json!({
        "sizes": [5, 200_000, 5_000_000], "issuer": "Test Interception", "closed": 1000,
    });
    assert_eq!(seen, expected);
    let lines = proxy.log.transactions(2);
    let socket = lines.iter().find(|line| line["method"] == "GET").unwrap();
    let expected = json!({ "proto": "wss", "status": 101, "uri": "/chat", "tls_mode": "intercept", "error": null });
    assert_fields(socket, &expected);
    assert!(socket["bytes_up"].as_u64().unwrap() > 5_200_000, "{socket}");
    assert!(
        socket["bytes_down"].as_u64().unwrap() > 5_200_000,
        "{socket}"
    );
}
