//! Clients that have to say who they are: with a password, a token, a JWT or a certificate.

use std::io::Write;
use std::process::Stdio;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::access_log::assert_fields;
use crate::common::programs::{node_with, python_with, sallyport};
use crate::common::proxy::Setup;
use crate::common::wait::wait_for;
use crate::common::{
    ALLOW_ALL, Certificate, Connection, Origin, Proxy, Response, Rules, ScriptedOrigin,
};
use crate::curl::Curl;
use crate::intercepted_clients::with_https;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Runs one of the commands that make files, with this on its standard input; what it prints.
fn made(setup: &Setup, arguments: &[&str], input: &str) -> String {
    let mut child = sallyport()
        .args(arguments)
        .current_dir(setup.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

fn add_user(setup: &Setup, name: &str, password: &str) {
    let arguments = ["user", "add", name, "--file", "users.txt"];
    made(setup, &arguments, &format!("{password}\n"));
}

/// A proxy that knows ann, whose password is `sesame`, and takes these ways on its listener.
fn asking(methods: &str) -> Setup {
    let setup = Setup::new()
        .key("auth.users", "\"users.txt\"")
        .append(&format!("auth = [{methods}]\n"));
    add_user(&setup, "ann", "sesame");
    setup
}

fn basic(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        BASE64.encode(format!("{user}:{password}").as_bytes())
    )
}

/// A request with these credentials, or with none.
fn ask(client: &mut Connection, origin: &ScriptedOrigin, credentials: &str) -> Response {
    let (url, authority) = (origin.url("/"), origin.address);
    let field = match credentials {
        "" => String::new(),
        said => format!("Proxy-Authorization: {said}\r\n"),
    };
    client.send(format!(
        "GET {url} HTTP/1.1\r\nHost: {authority}\r\n{field}\r\n"
    ));
    client.response()
}

/// A CONNECT with these credentials.
fn connect(client: &mut Connection, authority: &str, credentials: &str) -> Response {
    client.send(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nProxy-Authorization: {credentials}\r\n\r\n"
    ));
    client.response_to("CONNECT")
}

fn challenges(response: &Response) -> Vec<&str> {
    let fields = response.headers.iter();
    let challenges = fields.filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authenticate"));
    challenges.map(|(_, value)| value.as_str()).collect()
}

const BASIC: &str = "Basic realm=\"sallyport\", charset=\"UTF-8\"";
const BEARER: &str = "Bearer realm=\"sallyport\"";

#[test]
fn passwords() {
    let proxy = asking("\"basic\"").start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let mut client = proxy.connection();
    let unasked = ask(&mut client, &origin, "");
    unasked.assert_refusal(407, "http_request_error");
    assert_eq!(challenges(&unasked), [BASIC]);
    // On the same connection, as programs do.
    for (credentials, status) in [
        (basic("ann", "Sesame"), 407),
        (basic("bob", "sesame"), 407),
        (basic("ann", "sesame"), 200),
        (basic("ann", "sesame"), 200),
        ("Digest username=\"ann\"".to_owned(), 407),
        ("Bearer c2VzYW1l".to_owned(), 407),
        (
            format!("{}\r\nProxy-Authorization: x", basic("ann", "sesame")),
            407,
        ),
    ] {
        let response = ask(&mut client, &origin, &credentials);
        assert_eq!(response.status, status, "{credentials}");
    }
    let refused = connect(&mut client, &origin.address.to_string(), &basic("ann", "x"));
    assert_eq!((refused.status, challenges(&refused)), (407, vec![BASIC]));
    client.assert_closed();
    // What the proxy was told it tells nobody.
    for request in origin.requests(2) {
        assert_eq!(request.header("proxy-authorization"), None);
    }
    let lines = proxy.log.transactions(9);
    let principals: Vec<_> = lines
        .iter()
        .map(|line| line["principal"].as_str())
        .collect();
    let mut expected = vec![None; 9];
    expected[3..5].fill(Some("ann"));
    assert_eq!(principals, expected);
    let text = std::fs::read_to_string(&proxy.log.path).unwrap();
    for secret in ["sesame", "Sesame", &basic("ann", "sesame")[6..]] {
        assert!(!text.contains(secret), "{secret}");
        assert!(
            !proxy
                .process
                .lines()
                .iter()
                .any(|line| line.contains(secret))
        );
    }
}

/// By the URL of the proxy, as people write it; on CONNECT, and unasked or after a 407.
#[test]
fn curl_and_requests_by_the_url_of_the_proxy() {
    let setup = asking("\"basic\", \"bearer\"")
        .key("auth.tokens", "\"tokens.toml\"")
        .host("a.test", "127.0.0.1");
    let token = made(
        &setup,
        &["token", "add", "build", "--file", "tokens.toml"],
        "",
    );
    let proxy = setup.start(ALLOW_ALL);
    let (Some(curl), Some(python)) = (Curl::through(&proxy), python_with(&["requests"])) else {
        return;
    };
    let certificate = Certificate::for_names(&["a.test"], proxy.folder());
    let (plain, tls) = (Origin::start(), Origin::start_tls(&certificate));
    let authority = certificate.certificate.to_str().unwrap();
    let http = format!("http://a.test:{}/bytes/9", plain.port());
    let https = format!("https://a.test:{}/bytes/9", tls.port());
    let address = proxy.address;
    let with_token = format!("Proxy-Authorization: Bearer {token}");
    let cases: [(&[&str], u64, Value); 6] = [
        (&["--proxy-user", "ann:sesame"], 200, json!("ann")),
        (
            &["--proxy-user", "ann:sesame", "--proxy-anyauth"],
            200,
            json!("ann"),
        ),
        (
            &["--proxy", &format!("http://{token}@{address}")],
            200,
            json!("build"),
        ),
        (&["--proxy-header", &with_token], 200, json!("build")),
        (&["--proxy-user", "ann:other"], 407, json!(null)),
        (&[], 407, json!(null)),
    ];
    let mut lines = 0;
    for (arguments, code, principal) in cases {
        for url in [&http, &https] {
            let outcome = curl.run(&[&["--cacert", authority], arguments, &[url]].concat());
            let answered = match *url == https {
                true => outcome.connect_code,
                false => outcome.code,
            };
            assert_eq!(answered, code, "{arguments:?} {url}");
            // Who waits to be asked has a line for the 407 as well.
            lines += 1 + usize::from(arguments.contains(&"--proxy-anyauth"));
            let line = proxy.log.transactions(lines).remove(lines - 1);
            assert_fields(&line, &json!({ "status": code, "principal": principal }));
        }
    }
    let seen = crate::python::run(
        &python,
        "authentication_client.py",
        &[
            &format!("http://ann:sesame@{address}"),
            &proxy.url(),
            &http,
            &https,
            authority,
        ],
    );
    let unknown = format!("{BASIC}, {BEARER}");
    let expected = json!({
        "known": { "http": 200, "challenge": null, "https": 200 },
        "unknown": { "http": 407, "challenge": unknown, "https": "407" },
    });
    assert_eq!(seen, expected);
}

/// A subject of rules: denies what is not of team `pay` with `principal`.
fn only(phase: &str, principal: &str) -> String {
    format!(
        r#"
[[group]]
priority = 1
name = "gate"
[[group.{phase}]]
name = "others"
action = "deny"
when."request:Principal" = {{ StringNotEquals = "{principal}" }}
[[group.{phase}]]
name = "other-teams"
action = "deny"
when."request:SourceLabel/team" = {{ StringNotEquals = "pay" }}
"#
    )
}

/// Requests inside a tunnel are by whoever has opened it, and are asked nothing.
#[test]
fn tokens_and_what_rules_see_of_them() {
    for phase in ["pre_dns", "pre_request", "post_response"] {
        let setup = Setup::new()
            .key("auth.tokens", "\"tokens.toml\"")
            .append("auth = [\"bearer\"]\n");
        let add = |name: &str, team: &str| {
            let label = format!("team={team}");
            let arguments = [
                "token",
                "add",
                name,
                "--file",
                "tokens.toml",
                "--label",
                &label,
            ];
            format!("Bearer {}", made(&setup, &arguments, ""))
        };
        let (good, other, lab) = (
            add("build", "pay"),
            add("other", "pay"),
            add("build", "lab"),
        );
        let past = [
            "token",
            "add",
            "build",
            "--file",
            "tokens.toml",
            "--expires",
        ];
        let past = made(&setup, &[&past[..], &["2020-01-01T00:00:00Z"]].concat(), "");
        let proxy = setup.start(Rules(&only(phase, "build")));
        let origin = ScriptedOrigin::answering(OK);
        let mut client = proxy.connection();
        for (credentials, status) in [(&*good, 200), (&other, 403), (&lab, 403)] {
            assert_eq!(
                ask(&mut client, &origin, credentials).status,
                status,
                "{phase}"
            );
        }
        let expired = ask(&mut client, &origin, &format!("Bearer {past}"));
        let invalid = format!("{BEARER}, error=\"invalid_token\"");
        assert_eq!(
            (expired.status, challenges(&expired)),
            (407, vec![BASIC, &invalid])
        );
        let authority = origin.address.to_string();
        let mut client = proxy.connection();
        assert_eq!(connect(&mut client, &authority, &good).status, 200);
        client.send(format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
        assert_eq!(client.response().status, 200, "{phase}");
        drop(client);
        let line = wait_for("the line of the tunnel", || {
            let lines = proxy.log.of("transaction").into_iter();
            lines.rev().find(|line| line["method"] == "CONNECT")
        });
        assert_fields(&line, &json!({ "principal": "build" }));
    }
}

/// Keys and tokens of an issuer.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn key_set(&self) -> String {
        let x = BASE64URL_NOPAD.encode(self.0.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] }).to_string()
    }

    fn token(&self, claims: &Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&json!({ "alg": "EdDSA" })), part(claims));
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

/// `claims` and those that every token here has.
fn claims(more: Value) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({
        "iss": "https://issuer.test", "aud": ["other", "sallyport"], "sub": "system:pay",
        "exp": now + 600, "realm": { "team": ["pay", "web"] },
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

const ISSUERS: &str = "auth = [\"jwt\"]\n[[auth.jwt]]\nissuer = \"https://issuer.test\"\naudience = \"sallyport\"\n\
         jwks = \"jwks.json\"\nlabels = { team = \"/realm/team\" }\n\
         [[auth.jwt]]\ntrust_domain = \"example.org\"\naudience = [\"sallyport\"]\njwks = \"jwks.json\"\n\
         algorithms = [\"EdDSA\"]\nleeway = \"0s\"\n\
         [[identity.source]]\nspiffe = \"spiffe://example.org/ns\"\nvpc = \"vpc-pay\"\n";

#[test]
fn jwts_and_keys_that_are_replaced() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let setup = Setup::new().append(ISSUERS);
    setup.write_file("jwks.json", issuer.key_set().as_bytes());
    let mut proxy = setup.start(Rules(
        r#"
[[group]]
priority = 1
name = "gate"
[[group.pre_request]]
name = "of-web"
action = "alert"
when."request:SourceLabel/team" = { StringEquals = "web" }
"#,
    ));
    let origin = ScriptedOrigin::answering(OK);
    let mut client = proxy.connection();
    let now = jiff::Timestamp::now().as_second();
    let spiffe = json!({ "iss": "x", "sub": "spiffe://example.org/ns/pay" });
    let late = json!({ "sub": "spiffe://example.org/a", "iss": "x", "exp": now - 1 });
    let cases = [
        (issuer.token(&claims(json!({}))), 200, json!("system:pay")),
        (
            issuer.token(&claims(spiffe)),
            200,
            json!("spiffe://example.org/ns/pay"),
        ),
        (issuer.token(&claims(late)), 407, json!(null)),
        (
            issuer.token(&claims(json!({ "aud": "other" }))),
            407,
            json!(null),
        ),
        (
            issuer.token(&claims(json!({ "exp": now - 120 }))),
            407,
            json!(null),
        ),
        (
            issuer.token(&claims(json!({ "iss": "https://else.test" }))),
            407,
            json!(null),
        ),
        (other.token(&claims(json!({}))), 407, json!(null)),
    ];
    for (index, (token, status, principal)) in cases.iter().enumerate() {
        let response = ask(&mut client, &origin, &format!("Bearer {token}"));
        assert_eq!(response.status, *status, "{}", response.text());
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(&line, &json!({ "principal": principal }));
    }
    assert_eq!(proxy.log.of("alert").len(), 1);
    assert_eq!(proxy.log.of("transaction")[1]["vpc"], "vpc-pay");
    // As the user of a proxy's URL.
    let token = &cases[0].0;
    assert_eq!(ask(&mut client, &origin, &basic(token, "")).status, 200);
    // Other keys take effect without being asked for, also where the token is remembered.
    let fresh = proxy.setup.path("jwks.new");
    std::fs::write(&fresh, other.key_set()).unwrap();
    std::fs::rename(&fresh, proxy.setup.path("jwks.json")).unwrap();
    proxy.wait_message("the keys", |_, text| text.contains("keys was replaced"));
    wait_for("the new keys", || {
        (ask(&mut client, &origin, &format!("Bearer {token}")).status == 407).then_some(())
    });
    let token = other.token(&claims(json!({})));
    assert_eq!(
        ask(&mut client, &origin, &format!("Bearer {token}")).status,
        200
    );
}

#[test]
fn other_claims_and_algorithms() {
    let issuer = Issuer::new();
    let with = |more: &str| {
        let setup = Setup::new().append(&format!(
            "auth = [\"jwt\"]\n[[auth.jwt]]\nissuer = \"https://issuer.test\"\naudience = \"sallyport\"\n\
             jwks = \"jwks.json\"\n{more}\n"
        ));
        setup.write_file("jwks.json", issuer.key_set().as_bytes());
        setup.start(ALLOW_ALL)
    };
    let origin = ScriptedOrigin::answering(OK);
    let credentials = format!(
        "Bearer {}",
        issuer.token(&claims(json!({ "email": "a@b.test" })))
    );
    let by_mail = with("principal = \"email\"");
    let mut client = by_mail.connection();
    assert_eq!(ask(&mut client, &origin, &credentials).status, 200);
    assert_fields(
        &by_mail.log.transaction(),
        &json!({ "principal": "a@b.test" }),
    );
    let only_rsa = with("algorithms = [\"RS256\"]");
    let refused = ask(&mut only_rsa.connection(), &origin, &credentials);
    assert_eq!(refused.status, 407, "{}", refused.text());
}

/// A certificate or a password, as the client likes; and HTTP/2.
#[test]
fn certificates_beside_passwords_inside_https_listeners() {
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    let alice = pki.client("alice");
    let web = pki.workload("web", "spiffe://example.org/web");
    add_user(&setup, "ann", "sesame");
    let setup = setup.key("auth.users", "\"users.txt\"");
    let more = "client_ca = \"roots.pem\"\nauth = [\"mtls\", \"basic\"]\n";
    let (setup, https) = with_https(setup, more);
    let proxy = setup.start(ALLOW_ALL);
    let Some(curl) = Curl::through(&proxy) else {
        return;
    };
    let origin = ScriptedOrigin::answering(OK);
    let (roots, url) = (pki.roots(), format!("http://a.test:{}/", origin.port()));
    let through = format!("https://proxy.test:{https}");
    let resolve = format!("proxy.test:{https}:127.0.0.1");
    let base = [
        "--proxy",
        &through,
        "--proxy-cacert",
        &roots,
        "--resolve",
        &resolve,
        "--proxytunnel",
    ];
    let shown = |identity: &crate::common::pki::Identity| {
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let (certificate, key) = (path(&identity.certificate), path(&identity.key));
        [
            "--proxy-cert".to_owned(),
            certificate,
            "--proxy-key".to_owned(),
            key,
        ]
    };
    let nobody: [String; 0] = [];
    let user = ["--proxy-user".to_owned(), "ann:sesame".to_owned()];
    let cases: [(&[String], u64, Value); 4] = [
        (&shown(&alice), 200, json!("alice")),
        (&shown(&web), 200, json!("spiffe://example.org/web")),
        (&user, 200, json!("ann")),
        (&nobody, 407, json!(null)),
    ];
    for (arguments, code, principal) in cases {
        let before = proxy.log.of("transaction").len();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let outcome = curl.run(&[&base[..], &arguments, &[&url]].concat());
        assert_eq!(outcome.connect_code, code, "{arguments:?}");
        // The request inside is by the same client.
        let lines = if code == 200 { 2 } else { 1 };
        for line in &proxy.log.wait("transaction", before + lines)[before..] {
            assert_fields(line, &json!({ "principal": principal }));
        }
    }
}

/// HTTP/2 on an https listener, and what Node makes of a 407.
#[test]
fn node_over_http2_and_by_the_url_of_the_proxy() {
    let (setup, pki) = Setup::intercepting();
    pki.origin(&["proxy.test"]);
    add_user(&setup, "ann", "sesame");
    let setup = setup.key("auth.users", "\"users.txt\"");
    let (setup, https) = with_https(setup, "auth = [\"basic\"]\n");
    let _secured = setup.start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let Some(mut node) = node_with("undici") else {
        return;
    };
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/end_to_end/data/authentication_client.js");
    let plain = asking("\"basic\"").start(ALLOW_ALL);
    let output = node
        .arg(script)
        .arg(format!("http://ann:sesame@{}", plain.address))
        .arg(plain.url())
        .arg(origin.address.to_string())
        .arg(https.to_string())
        .arg(basic("ann", "sesame"))
        .output()
        .unwrap();
    let seen: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(seen["with"], 200, "{seen:#}");
    // undici tells no status of a tunnel that it was refused.
    assert_ne!(seen["without"], 200, "{seen:#}");
    let refused = json!({ "status": 407, "challenge": BASIC, "text": "" });
    assert_eq!(seen["http2"]["unasked"], refused, "{seen:#}");
    assert_eq!(seen["http2"]["refused"], refused, "{seen:#}");
    let asked = json!({ "status": 200, "challenge": null, "text": "ok" });
    assert_eq!(seen["http2"]["asked"], asked, "{seen:#}");
    let inside = seen["http2"]["tunnel"]["text"].as_str().unwrap();
    assert!(inside.ends_with("ok"), "{seen:#}");
}

/// From the next request on, also where the password is remembered, and in tunnels that are open.
#[test]
fn a_reload_removes_a_user() {
    let setup = asking("\"basic\"").key("tunnel.unknown_protocol", "\"allow\"");
    add_user(&setup, "bob", "builder");
    let mut proxy = setup.start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let authority = origin.address.to_string();
    let inside = format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let (ann, bob) = (basic("ann", "sesame"), basic("bob", "builder"));
    let mut direct = proxy.connection();
    assert_eq!(ask(&mut direct, &origin, &ann).status, 200);
    let open = |credentials: &str| {
        let mut tunnel = proxy.connection();
        assert_eq!(connect(&mut tunnel, &authority, credentials).status, 200);
        tunnel.send(&inside);
        assert_eq!(tunnel.response().status, 200);
        tunnel
    };
    let (mut idle, mut kept) = (open(&ann), open(&bob));
    let silent = ScriptedOrigin::silent();
    let mut opaque = proxy.connection();
    assert_eq!(
        connect(&mut opaque, &silent.address.to_string(), &ann).status,
        200
    );
    opaque.send("\x01\x02 a protocol of its own");

    made(
        &proxy.setup,
        &["user", "remove", "ann", "--file", "users.txt"],
        "",
    );
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
    // Each shard takes it up at its next tick.
    wait_for("the removal", || {
        (ask(&mut direct, &origin, &ann).status == 407).then_some(())
    });
    for tunnel in [&mut idle, &mut opaque] {
        let (rest, _) = tunnel.rest();
        assert!(rest.is_empty(), "{}", rest.escape_ascii());
    }
    kept.send(&inside);
    assert_eq!(kept.response().status, 200);
    let line = wait_for("why the tunnel ended", || {
        let mut lines = proxy.log.of("transaction").into_iter();
        lines.find(|line| line["error"] == "http_request_denied" && line["method"] == "CONNECT")
    });
    let detail = line["detail"].as_str().unwrap();
    assert!(
        detail.contains("credentials that the tunnel was opened with"),
        "{detail}"
    );
}

/// A listener is there until a restart, whatever a reload says, and does not serve everybody meanwhile.
#[test]
fn a_listener_that_a_reload_forgets_asks_on() {
    let mut proxy = asking("\"basic\"").start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let config = proxy.setup.path("sallyport.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let (before, _) = text.split_once("[[listener]]").unwrap();
    let elsewhere = "[[listener]]\naddress = \"127.0.0.1:1\"\n";
    std::fs::write(&config, format!("{before}{elsewhere}")).unwrap();
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
    let started = std::time::Instant::now();
    let mut client = proxy.connection();
    // Some ticks of each shard.
    while started.elapsed() < std::time::Duration::from_millis(500) {
        assert_eq!(ask(&mut client, &origin, "").status, 407);
    }
    assert_eq!(
        ask(&mut client, &origin, &basic("ann", "sesame")).status,
        200
    );
}

/// Who is wrong too often waits for the next minute, whatever it says; who was right before does not.
#[test]
fn failures_are_limited() {
    let setup = asking("\"basic\"")
        .key("auth.failures_per_minute", "2")
        .one_shard();
    let proxy = setup.start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let mut known = proxy.connection();
    assert_eq!(
        ask(&mut known, &origin, &basic("ann", "sesame")).status,
        200
    );
    let mut guessing = proxy.connection();
    // A minute may end meanwhile.
    let mut statuses = Vec::new();
    for guess in 0..7 {
        let response = ask(&mut guessing, &origin, &basic("ann", &guess.to_string()));
        statuses.push(response.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(statuses[..2], [407, 407]);
    assert_eq!(
        ask(&mut known, &origin, &basic("ann", "sesame")).status,
        200
    );
    // Without credentials it is asked for them as ever.
    assert_eq!(ask(&mut guessing, &origin, "").status, 407);
}

/// `check` says in which file what is wrong, and which line of the configuration names it.
#[test]
fn check_reads_the_files() {
    let setup = Setup::new();
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    let check = |setup: Setup| {
        let output = sallyport()
            .args(["check", "--config"])
            .arg(setup.write())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    for (name, text, key, expected) in [
        (
            "users.txt",
            "ann:secret\n",
            "users",
            "users.txt: line 1: ann: expected a hash",
        ),
        (
            "tokens.toml",
            "[[token]]\nname = 1\n",
            "tokens",
            "tokens.toml: line 2: ",
        ),
        (
            "gone.txt",
            "",
            "users",
            "gone.txt: cannot be read: No such file",
        ),
    ] {
        let setup = Setup::new().key(&format!("auth.{key}"), &format!("\"{name}\""));
        ALLOW_ALL.compile(&setup.path("rules.spb"));
        if !text.is_empty() {
            setup.write_file(name, text.as_bytes());
        }
        let said = check(setup);
        assert!(said.contains(&format!("line 2: auth.{key}: ")), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
    let setup = Setup::new().append(
        "auth = [\"basic\", \"mtls\", \"magic\"]\n[[auth.jwt]]\nissuer = \"a\"\njwks = \"https://a.test/keys\"\n",
    );
    let said = check(setup);
    for expected in [
        "listener.auth: found \"basic\", expected auth.users as well",
        "listener.auth: found \"mtls\", expected protocol = \"https\" and client_ca as well",
        "listener.auth: found \"magic\", expected \"basic\", \"bearer\", \"jwt\" or \"mtls\"",
        "auth.jwt.jwks: found \"https://a.test/keys\", expected the path of a key set in JSON",
        "auth.jwt.audience: found nothing",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

const SOURCES: &str = r#"proxy_protocol = "v1v2-optional"
trusted = ["127.0.0.0/8"]
[[identity.source]]
clients = ["192.0.2.0/24", "127.0.0.0/8"]
vpc = "vpc-net"
account = "111122223333"
labels = { Team = "net", zone = ["a", "b"] }
[[identity.source]]
clients = ["192.0.2.7/32"]
vpc = "vpc-one"
[[identity.source]]
vpce = "vpce-0abc"
account = "444455556666"
[[identity.source]]
principal = "ann"
labels = { team = "pay" }
"#;

const BY_SOURCE: &str = r#"
[[group]]
priority = 1
name = "gate"
[[group.pre_dns]]
name = "pay"
action = "alert"
when."request:SourceLabel/team" = { StringEquals = "pay" }
[[group.pre_request]]
name = "zone-b"
action = "alert"
when."request:SourceLabel/zone" = { StringEquals = "b" }
[[group.post_response]]
name = "no-one"
action = "deny"
when."request:SourceVpc" = { StringEquals = "vpc-one" }
when."request:SourceAccount" = { Null = true }
"#;

/// What is known of clients, by what they show: networks, endpoints, principals.
#[test]
fn identity_sources() {
    let setup = asking("\"basic\"").append(SOURCES);
    let proxy = setup.start(Rules(BY_SOURCE));
    let origin = ScriptedOrigin::answering(OK);
    let header = |client: &str| format!("PROXY TCP4 {client} 198.51.100.1 4000 3128\r\n");
    let ann = basic("ann", "sesame");
    let cases = [
        (
            String::new(),
            200,
            json!({ "vpc": "vpc-net", "account": "111122223333", "alerts": ["pay", "zone-b"] }),
        ),
        (
            header("192.0.2.1"),
            200,
            json!({ "vpc": "vpc-net", "alerts": ["pay", "zone-b"] }),
        ),
        (
            header("192.0.2.7"),
            403,
            json!({ "vpc": "vpc-one", "account": null, "alerts": ["pay"] }),
        ),
        (
            header("203.0.113.1"),
            200,
            json!({ "vpc": null, "account": null, "alerts": ["pay"] }),
        ),
    ];
    for (index, (header, status, expected)) in cases.into_iter().enumerate() {
        let mut client = proxy.connection();
        client.send(header);
        assert_eq!(ask(&mut client, &origin, &ann).status, status);
        let line = proxy.log.transactions(index + 1).remove(index);
        assert_fields(&line, &expected);
    }
    let mut client = proxy.connection();
    client.send(crate::proxy_protocol::version2(&[(0xea, b"\x01vpce-0abc")]));
    assert_eq!(ask(&mut client, &origin, &ann).status, 200);
    let line = proxy.log.transactions(5).remove(4);
    assert_fields(
        &line,
        &json!({ "vpc": "vpc-one", "account": "444455556666" }),
    );
    // Before it has said who it is, only where it comes from is known.
    let mut client = proxy.connection();
    assert_eq!(ask(&mut client, &origin, "").status, 407);
    let line = proxy.log.transactions(6).remove(5);
    assert_fields(&line, &json!({ "vpc": "vpc-net", "principal": null }));
}

/// The network of a proxy changes what is said of its clients on connections that are open, too.
#[test]
fn a_reload_changes_what_is_known_of_a_client() {
    let source = "[[identity.source]]\nclients = [\"127.0.0.0/8\"]\nvpc = \"vpc-old\"\n";
    let mut proxy: Proxy = Setup::new().append(source).start(ALLOW_ALL);
    let origin = ScriptedOrigin::answering(OK);
    let mut client = proxy.connection();
    assert_eq!(ask(&mut client, &origin, "").status, 200);
    let config = proxy.setup.path("sallyport.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("vpc-old", "vpc-new")).unwrap();
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message("the reload", |_, text| text.starts_with("reloaded"));
    let lines = wait_for("the new VPC", || {
        assert_eq!(ask(&mut client, &origin, "").status, 200);
        let lines = proxy.log.of("transaction");
        lines
            .iter()
            .any(|line| line["vpc"] == "vpc-new")
            .then_some(lines)
    });
    assert_eq!(lines[0]["vpc"], "vpc-old");
}
