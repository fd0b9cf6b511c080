//! The JSON of the AWS preview means what the same rules mean in TOML.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot compile its rules has failed"
)]

use proptest::prelude::*;
use sallyport_rules::diagnostic::Colors;
use sallyport_rules::pipeline::{self, Options};
use sallyport_rules::source::MemoryFiles;
use sallyport_ruleset::{Action, BuildRecord, Phase, Ruleset, bundle};
use serde_json::{Value, json};

fn checked(files: &MemoryFiles, path: &str, options: &Options) -> Result<Ruleset, String> {
    let checked = pipeline::check(files, path, options).unwrap();
    let said = checked.diagnostics.render(&checked.sources, Colors::NONE);
    checked.ruleset.ok_or(said)
}

fn bytes(ruleset: &Ruleset) -> Vec<u8> {
    bundle::write(ruleset, &BuildRecord::default()).unwrap()
}

const PHASES: [(&str, [&str; 5]); 3] = [
    (
        "pre_dns",
        ["PreDNS", "PRE_DNS", "pre_dns", "Pre-DNS", "PreDns"],
    ),
    (
        "pre_request",
        [
            "PreREQUEST",
            "PRE_REQ",
            "pre_request",
            "Pre-Request",
            "PreRequest",
        ],
    ),
    (
        "post_response",
        [
            "PostRESPONSE",
            "POST_RES",
            "post_response",
            "Post-Response",
            "PostResponse",
        ],
    ),
];

/// Conditions that every phase knows: key, operator, values. In TOML, those of one key stand together.
const CONDITIONS: [(&str, &str, &[&str]); 8] = [
    (
        "request:DestinationDomain",
        "StringEquals",
        &["Example.com", "b.test"],
    ),
    (
        "request:DestinationDomain",
        "ForAnyValue:StringNotEquals",
        &["a.test"],
    ),
    (
        "request:destinationdomain",
        "StringLike",
        &["*.example.com"],
    ),
    (
        "request:SourceIp",
        "IpAddress",
        &["10.0.0.0/8", "2001:db8::/32"],
    ),
    ("request:DestinationPort", "NumericEquals", &["443", "8443"]),
    (
        "request:DestinationPort",
        "ForAllValues:NumericGreaterThanEquals",
        &["1024"],
    ),
    ("request:SourceVpce", "StringNotEquals", &["@vpce-1"]),
    ("request:Time", "DateGreaterThan", &["2026-01-01T00:00:00Z"]),
];

#[derive(Clone, Debug)]
struct Rule {
    phase: usize,
    action: usize,
    conditions: Vec<usize>,
}

fn rule() -> impl Strategy<Value = Rule> {
    let conditions = proptest::sample::subsequence((0..CONDITIONS.len()).collect::<Vec<_>>(), 0..4);
    (0..3_usize, 0..3_usize, conditions).prop_map(|(phase, action, conditions)| Rule {
        phase,
        action,
        conditions,
    })
}

const ACTIONS: [(&str, [&str; 2]); 3] = [
    ("allow", ["ALLOW", "allow"]),
    ("deny", ["DENY", "Deny"]),
    ("alert", ["ALERT", "alert"]),
];

fn as_toml(rules: &[Rule]) -> String {
    let mut text = String::from("name = \"g\"\n");
    for (number, rule) in rules.iter().enumerate() {
        let (phase, action) = (PHASES[rule.phase].0, ACTIONS[rule.action].0);
        text += &format!("[[{phase}]]\nname = \"r{number}\"\naction = \"{action}\"\n");
        for condition in &rule.conditions {
            let (key, operator, values) = CONDITIONS[*condition];
            let values = json!(values).to_string().replace('@', "@@");
            text += &format!("when.\"{key}\".\"{operator}\" = {values}\n");
        }
    }
    text
}

/// `spelling` chooses among the ways to write phases and actions; `order` is how the rules of a
/// phase stand in their array, with positions if it is not as they are evaluated.
fn as_json(rules: &[Rule], spelling: usize, reversed: bool) -> Value {
    let mut by_phase = serde_json::Map::new();
    for (phase, (_, spellings)) in PHASES.iter().enumerate() {
        let of_phase = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.phase == phase);
        let mut written: Vec<Value> = of_phase
            .enumerate()
            .map(|(position, (number, rule))| {
                let conditions: Vec<Value> = rule
                    .conditions
                    .iter()
                    .map(|condition| {
                        let (key, operator, values) = CONDITIONS[*condition];
                        json!({
                            "ConditionOperator": operator, "ConditionKey": key,
                            "ConditionValues": values,
                        })
                    })
                    .collect();
                let mut rule = json!({
                    "ProxyRuleName": format!("r{number}"),
                    "Action": ACTIONS[rule.action].1[spelling % 2],
                    "Conditions": conditions,
                });
                if reversed {
                    rule["InsertPosition"] = json!(position);
                }
                rule
            })
            .collect();
        if reversed {
            written.reverse();
        }
        by_phase.insert(spellings[spelling % 5].to_owned(), json!(written));
    }
    json!({ "ProxyRuleGroupName": "g", "Description": "made up", "Rules": by_phase, "Tags": [] })
}

const RULESET: &str = "[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\n\
                       post_response = \"alert\"\n[[group]]\npriority = 0\nfile = \"g\"\n";

fn configuration(members: Value) -> String {
    let mut configuration = json!({
        "ProxyConfigurationName": "estate",
        "DefaultRulePhaseActions": {
            "PreDNS": "DENY", "PreREQUEST": "ALLOW", "PostRESPONSE": "ALERT",
        },
    });
    let object = configuration.as_object_mut().unwrap();
    object.extend(members.as_object().unwrap().clone());
    configuration.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn json_and_toml_give_the_same_bundle(
        rules in proptest::collection::vec(rule(), 0..8),
        spelling in 0..10_usize,
        reversed: bool,
        enveloped: bool,
    ) {
        let options = Options::default();
        let toml = MemoryFiles::default().with("r.toml", RULESET).with("g", as_toml(&rules));
        let mut group = as_json(&rules, spelling, reversed);
        if enveloped {
            group = json!({ "ProxyRuleGroup": group, "UpdateToken": "1" });
        }
        let arn = "arn:aws:network-firewall:us-east-2:111122223333:proxy-rule-group/g";
        let references = [
            json!({ "RuleGroupNames": ["g"] }),
            json!({ "RuleGroupArns": [arn] }),
            json!({ "RuleGroupNames": ["g"], "RuleGroupArns": [arn] }),
            json!({ "RuleGroups": [{ "ProxyRuleGroupName": "g", "Priority": 0 }] }),
        ];
        let json = MemoryFiles::default()
            .with("r.toml", RULESET)
            .with("c.json", configuration(references[spelling % 4].clone()))
            .with("g", group.to_string())
            .with("g.json", group.to_string());
        let wanted = checked(&toml, "r.toml", &options).unwrap();
        for path in ["r.toml", "c.json"] {
            let found = checked(&json, path, &options).unwrap();
            prop_assert_eq!(&found, &wanted);
            prop_assert_eq!(bytes(&found), bytes(&wanted));
        }
    }
}

/// One condition over a domain, as JSON, with the habit on and off.
fn with_habit(operator: &str, values: &[&str], suffix_equals: bool) -> Result<Ruleset, String> {
    let group = json!({
        "ProxyRuleGroupName": "g",
        "Rules": { "PreDNS": [{
            "ProxyRuleName": "r", "Action": "ALLOW",
            "Conditions": [{
                "ConditionOperator": operator, "ConditionKey": "request:DestinationDomain",
                "ConditionValues": values,
            }],
        }] },
    });
    let files = MemoryFiles::default()
        .with("r.toml", RULESET)
        .with("g", group.to_string());
    let options = Options {
        aws_suffix_equals: suffix_equals,
        ..Options::default()
    };
    checked(&files, "r.toml", &options)
}

#[test]
fn suffixes_with_string_equals_are_an_option() {
    let said = with_habit("StringEquals", &[".example.com"], false).unwrap_err();
    assert!(said.contains("--aws-suffix-equals"), "{said}");
    for (written, meant, values, taken) in [
        (
            "StringEquals",
            "StringLike",
            [".example.com", "a.test"],
            &["example.com", "*.example.com", "a.test"][..],
        ),
        (
            "StringEquals",
            "DomainMatch",
            [".x.test", ".y.test"],
            &["x.test", "y.test"],
        ),
        (
            "StringNotEquals",
            "NotDomainMatch",
            [".x.test", ".y.test"],
            &["x.test", "y.test"],
        ),
        (
            "ForAllValues:StringEquals",
            "ForAllValues:StringLike",
            ["a.test", ".x.test"],
            &["a.test", "x.test", "*.x.test"],
        ),
    ] {
        let found = with_habit(written, &values, true).unwrap();
        assert_eq!(found, with_habit(meant, taken, false).unwrap(), "{written}");
    }
    // Without a suffix nothing changes, and a wildcard does not become one.
    assert_eq!(
        with_habit("StringEquals", &["a.test"], true),
        with_habit("StringEquals", &["a.test"], false)
    );
    assert!(with_habit("StringEquals", &[".x.test", "*.y.test"], true).is_err());
}

#[test]
fn answers_that_refer_to_groups_by_position() {
    let group = |name: &str| json!({ "ProxyRuleGroupName": name, "Rules": {} }).to_string();
    let files = MemoryFiles::default()
        .with("a.json", group("a"))
        .with("b.toml", "name = \"b\"\n")
        .with(
            "c.json",
            configuration(json!({ "RuleGroups": [
                { "ProxyRuleGroupName": "b", "InsertPosition": 1 },
                { "ProxyRuleGroupName": "a", "InsertPosition": 0 },
            ] })),
        );
    let ruleset = checked(&files, "c.json", &Options::default()).unwrap();
    let names: Vec<&str> = ruleset
        .groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn rules_alone_are_a_group_with_the_name_of_their_file() {
    let rules = json!({ "PreDNS": [{
        "ProxyRuleName": "r", "Action": "DROP",
        "Conditions": [{
            "ConditionOperator": "StringEquals", "ConditionKey": "request:DestinationDomain",
            "ConditionValues": ["a.test"],
        }],
    }] });
    let ruleset = RULESET.replace("\"g\"", "\"groups/domain filter.json\"");
    let files = MemoryFiles::default()
        .with("r.toml", ruleset)
        .with("groups/domain filter.json", rules.to_string());
    let ruleset = checked(&files, "r.toml", &Options::default()).unwrap();
    assert_eq!(ruleset.groups[0].name, "domain-filter");
    assert_eq!(
        ruleset.groups[0].rules(Phase::PreDns)[0].action,
        Action::Deny
    );
}
