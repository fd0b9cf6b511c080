//! Rules that ask for what the configuration never shows them are named at `check`, at the start and at a
//! reload; and what is true of them is so in traffic.

use nix::sys::signal::Signal;

use crate::common::programs::sallyport;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Rules};

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
    "request:SourceVpce is never there (no listener learns it): never matching: g/endpoint (1)",
    "request:SourceLabel/team is never there (no listener learns it): matching without regard to it: g/others (1)",
    "request:Principal is never there (no listener has a `client_ca`): never matching: g/people (1)",
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
