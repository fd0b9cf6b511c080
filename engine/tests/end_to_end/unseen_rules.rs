//! Rules that ask for what the configuration never shows them are named at `check`, at the start and at a
//! reload; and what is true of them is so in traffic.

use nix::sys::signal::Signal;

use crate::common::programs::sallyport;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Rules};
use crate::intercepted_clients::with_https;

const RULES: Rules<'_> = Rules(
    r#"
[[group]]
priority = 1
name = "g"
[[group.pre_dns]]
name = "endpoint"
action = "allow"
when."request:SourceVpce" = { StringEquals = "vpce-1" }
[[group.pre_dns]]
name = "others"
action = "deny"
when."request:SourceLabel/team" = { StringNotEquals = "platform" }
when."request:DestinationDomain" = { StringEquals = "closed.test" }
[[group.pre_dns]]
name = "people"
action = "alert"
when."request:Principal" = { Null = false }
[[group.pre_dns]]
name = "names"
action = "alert"
when."request:DestinationDomain" = { DomainMatch = "seen.test" }
[[group.pre_request]]
name = "uploads"
action = "deny"
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.pre_request]]
name = "nameless"
action = "alert"
when."request:Http:UserAgent" = { Null = true }
[[group.pre_request]]
name = "nameless-heads"
action = "alert"
when."request:Http:UserAgent" = { Null = true }
when."request:Http:Method" = { Null = false }
[[group.post_response]]
name = "programs"
action = "deny"
when."response:Http:ContentType" = { StringEquals = "application/x-dosexec" }
[[group.post_response]]
name = "issuer"
action = "alert"
when."response:TlsIssuer" = { StringLike = "*Unknown*" }
"#,
);

fn check(setup: &Setup) -> Vec<String> {
    let output = sallyport()
        .args(["check", "--config"])
        .arg(setup.write())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let warnings = said
        .lines()
        .filter_map(|line| line.strip_prefix("warning: "));
    warnings.map(str::to_owned).collect()
}

const UNFILLED: [&str; 3] = [
    "request:SourceVpce is never there (no listener has a `proxy_protocol`): never matching: g/endpoint (1)",
    "request:SourceLabel/team is never there (no `[[identity.source]]` gives it): matching without regard to it: g/others (1)",
    "request:Principal is never there (no listener has an `auth` or a `client_ca`): never matching: g/people (1)",
];

const IN_TUNNELS: &str = "never matching there: g/uploads, g/nameless-heads, g/programs, g/issuer (4); matching as if what they ask for were absent (`request:Http:Method` with `Null = false` leaves such tunnels out): g/nameless (1)";

#[test]
fn rules_that_a_configuration_leaves_blind_are_named() {
    let passing = Setup::new();
    RULES.compile(&passing.path("rules.spb"));
    let warnings = check(&passing);
    let issuer =
        "response:TlsIssuer is never there (nothing is intercepted): never matching: g/issuer (1)";
    let through = format!("TLS is passed through (`tls.mode = \"passthrough\"`): {IN_TUNNELS}");
    assert_eq!(warnings[..3], UNFILLED);
    assert_eq!(warnings[3..], [issuer.to_owned(), through]);

    let (setup, _) = Setup::intercepting();
    RULES.compile(&setup.path("rules.spb"));
    assert_eq!(check(&setup), UNFILLED);
    let scope = r#"[{ domains = ["bank.test"], mode = "passthrough" }]"#;
    let setup = setup.key("tls.scope", scope);
    let warnings = check(&setup);
    assert_eq!(warnings[..3], UNFILLED);
    assert_eq!(
        warnings[3..],
        [format!(
            "a `[[tls.scope]]` passes TLS through: {IN_TUNNELS}"
        )]
    );

    let (setup, _) = Setup::intercepting();
    RULES.compile(&setup.path("rules.spb"));
    let scope = r#"[{ domains = ["work.test"], mode = "intercept" }]"#;
    let setup = setup
        .key("tls.mode", "\"passthrough\"")
        .key("tls.scope", scope);
    let through = "TLS is passed through but for what a `[[tls.scope]]` intercepts: ";
    assert_eq!(check(&setup)[3..], [format!("{through}{IN_TUNNELS}")]);

    // Nothing is said of rules that ask for what is there.
    let setup = Setup::new();
    ALLOW_ALL.compile(&setup.path("rules.spb"));
    assert_eq!(check(&setup), Vec::<String>::new());
}

#[test]
fn users_are_there_where_a_listener_asks_for_certificates() {
    let principals: Rules<'_> = Rules(
        r#"
[[group]]
priority = 1
name = "g"
[[group.pre_dns]]
name = "people"
action = "allow"
when."request:Principal" = { StringLike = "*@work.test" }
[[group.pre_dns]]
name = "nobody"
action = "deny"
when."request:Principal" = { Null = true }
"#,
    );
    let never = "request:Principal is never there (no listener has an `auth` or a `client_ca`): never matching: g/people (1); matching without regard to it: g/nobody (1)";
    for (authenticates, warnings) in [(false, vec![never]), (true, vec![])] {
        let (setup, pki) = Setup::intercepting();
        pki.origin(&["proxy.test"]);
        let more = if authenticates {
            "client_ca = \"roots.pem\"\n"
        } else {
            ""
        };
        let (setup, _) = with_https(setup, more);
        principals.compile(&setup.path("rules.spb"));
        assert_eq!(check(&setup), warnings, "{authenticates}");
    }
}

/// Rules over heads, each for another domain.
const BY_DOMAIN: Rules<'_> = Rules(
    r#"
[[group]]
priority = 1
name = "g"
[[group.pre_request]]
name = "work"
action = "alert"
when."request:DestinationDomain" = { DomainMatch = "work.test" }
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.pre_request]]
name = "below"
action = "alert"
when."request:DestinationDomain" = { StringEquals = ["a.work.test", "b.a.work.test"] }
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.pre_request]]
name = "bank"
action = "alert"
when."request:DestinationDomain" = { DomainMatch = "bank.test" }
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.pre_request]]
name = "both"
action = "alert"
when."request:DestinationDomain" = { DomainMatch = ["work.test", "bank.test"] }
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.pre_request]]
name = "above"
action = "alert"
when."request:DestinationDomain" = { DomainMatch = "test" }
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.pre_request]]
name = "narrowed"
action = "alert"
when."request:DestinationDomain" = { DomainMatch = "test", NotDomainMatch = "bank.test" }
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.pre_request]]
name = "others"
action = "alert"
when."request:DestinationDomain" = { NotDomainMatch = "bank.test" }
when."request:Http:Method" = { StringEquals = "PUT" }
[[group.post_response]]
name = "programs"
action = "alert"
when."request:DestinationDomain" = { DomainMatch = "a.work.test" }
when."response:Http:ContentType" = { StringEquals = "application/x-dosexec" }
"#,
);

#[test]
fn rules_of_domains_that_are_intercepted_are_not_named() {
    let named = |mode: &str, scopes: &str| {
        let (setup, _) = Setup::intercepting();
        BY_DOMAIN.compile(&setup.path("rules.spb"));
        let setup = setup.key("tls.mode", &format!("\"{mode}\""));
        let warnings = check(&setup.key("tls.scope", scopes)).join("\n");
        let names = [
            "work", "below", "bank", "both", "above", "narrowed", "others", "programs",
        ];
        let is_named = |name: &&str| {
            let mut words = warnings.split([' ', ',']);
            words.any(|word| word == format!("g/{name}"))
        };
        names.into_iter().filter(is_named).collect::<Vec<_>>()
    };
    let work = r#"[{ domains = ["work.test"], mode = "intercept" }]"#;
    let outside = ["bank", "both", "above", "narrowed", "others"];
    assert_eq!(named("passthrough", work), outside);
    let bank = r#"[{ domains = ["bank.test"], mode = "passthrough" }]"#;
    assert_eq!(named("intercept", bank), ["bank", "both", "above"]);
    // The first scope that matches counts.
    let first = r#"[{ domains = ["a.work.test"], mode = "passthrough" }, { domains = ["work.test"], mode = "intercept" }]"#;
    let all = [
        "work", "below", "bank", "both", "above", "narrowed", "others", "programs",
    ];
    assert_eq!(named("passthrough", first), all);
    let below = r#"[{ domains = ["*.work.test"], mode = "intercept" }]"#;
    assert_eq!(
        named("passthrough", below),
        ["work", "bank", "both", "above", "narrowed", "others"]
    );
    // One that is for some ports only may speak of a tunnel or not.
    let some = r#"[{ domains = ["work.test"], ports = [8443], mode = "intercept" }]"#;
    assert_eq!(named("passthrough", some), all);
    let some = r#"[{ domains = ["bank.test"], ports = [8443], mode = "passthrough" }]"#;
    assert_eq!(named("intercept", some), ["bank", "both", "above"]);
    let addresses = r#"[{ domains = ["work.test"], mode = "intercept" }, { destinations = ["192.0.2.0/24"], mode = "passthrough" }]"#;
    assert_eq!(named("intercept", addresses), outside);
}

#[test]
fn the_start_and_a_reload_name_them() {
    let mut proxy = Setup::new().start(RULES);
    let names = |_: &str, text: &str| text.contains("g/endpoint");
    proxy.wait_message("the warning at the start", names);
    let later = Rules(
        "[[group]]\npriority = 1\nname = \"later\"\n[[group.pre_dns]]\nname = \"vpc\"\naction = \"deny\"\nwhen.\"request:SourceVpc\" = { StringEquals = \"vpc-1\" }\n",
    );
    later.compile(&proxy.bundle());
    proxy.signal(Signal::SIGHUP);
    proxy.wait_message("the warning at the reload", |_, text| {
        text.contains("request:SourceVpc is never there") && text.contains("later/vpc")
    });
}
