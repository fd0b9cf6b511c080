//! A whole `squid.conf` moves over: the imported rules compile, and the configuration beside them is
//! taken as it was written.

use std::path::Path;
use std::process::Command;

use crate::common::programs::sallyport_rules;

const SQUID: &str = "http_port 127.0.0.1:0 ssl-bump cert=/etc/squid/ca.pem
http_port 3129 intercept
dns_nameservers 127.0.0.1
visible_hostname proxy.example.com
forwarded_for delete
connect_timeout 30 seconds
read_timeout 15 minutes
request_timeout 1 minute
client_idle_pconn_timeout 2 minutes
pconn_timeout 90 seconds
shutdown_lifetime 5 seconds
request_header_access Referer deny all
request_header_access User-Agent deny all
request_header_replace User-Agent Mozilla/5.0 (X11)
reply_header_access Server deny all
cache_peer parent.test parent 3128 0 no-query
delay_pools 1
reply_body_max_size 10 MB
acl localnet src 10.0.0.0/8 127.0.0.0/8
acl nobump dstdomain .bank.test
acl ports port 443 8000-8002
acl step1 at_step SslBump1
ssl_bump peek step1
ssl_bump splice nobump
ssl_bump bump localnet ports
http_access deny CONNECT !localnet
http_access allow localnet
http_access deny all
";

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn import(folder: &Path, options: &[&str]) -> String {
    let source = folder.join("squid.conf");
    std::fs::write(&source, SQUID).unwrap();
    let out = folder.join("out");
    run(sallyport_rules()
        .args(["import", "squid", "--force"])
        .arg(&source)
        .arg("--out")
        .arg(&out)
        .args(options));
    run(sallyport_rules()
        .args(["compile", "--quiet"])
        .arg(out.join("ruleset.toml"))
        .arg("--output")
        .arg(out.join("ruleset.spb")));
    run(Command::new(env!("CARGO_BIN_EXE_sallyport"))
        .args(["check", "--config"])
        .arg(out.join("sallyport.toml")));
    std::fs::read_to_string(out.join("sallyport.toml")).unwrap()
}

#[test]
fn the_configuration_beside_an_import_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let text = import(folder.path(), &[]);
    for part in [
        "address = \"127.0.0.1:0\"",
        "connect_attempt = \"30s\"",
        "x_forwarded_for = false",
        "request.strip = [\"referer\"]",
        "request.set.\"user-agent\" = \"Mozilla/5.0 (X11)\"",
        "domains = [\"bank.test\"]\nmode = \"passthrough\"",
        "# mode = \"intercept\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("3129"), "{text}");
    let authority = folder.path().join("authority");
    run(Command::new(env!("CARGO_BIN_EXE_sallyport"))
        .args(["ca", "init", "--out"])
        .arg(&authority));
    let ca = authority.join("ca.pem");
    let text = import(folder.path(), &["--ca", ca.to_str().unwrap()]);
    let scope = "clients = [\"10.0.0.0/8\", \"127.0.0.0/8\"]\nports = [443, 8000, 8001, 8002]\nmode = \"intercept\"";
    assert!(text.contains(scope), "{text}");
}
