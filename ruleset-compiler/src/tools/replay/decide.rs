//! What a bundle decides about a logged transaction, by what the log tells of it (`log/facts.rs`).

use sallyport_ruleset::{
    Bundle, Decision, Fact, Facts, Outcome, Phase, RuleIndex, Scratch, Source, Verdict,
};

use super::memo::Memo;
use crate::tools::log::{LogRecord, NormalForms, Told, assume_absent};

/// A bundle and the memory for asking it again and again.
#[derive(Debug)]
pub struct Decider<'b> {
    bundle: &'b Bundle,
    scratch: Scratch,
    pub(super) memo: Memo,
    /// What the log never tells counts as absent.
    assumes_absent: bool,
    forms: NormalForms,
}

/// The answer about a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The last phase that runs says so.
    Decided {
        /// The phase.
        phase: Phase,
        /// What it says.
        verdict: Verdict,
    },
    /// The answer hangs on facts that are not in the log: bits of [`Source::index`] of those that
    /// rules ask for.
    Unknown(u64),
    /// There is no destination: nothing was decided by rules.
    NoDestination,
}

impl<'b> Decider<'b> {
    /// A decider for one thread.
    #[must_use]
    pub fn new(bundle: &'b Bundle) -> Self {
        Self {
            bundle,
            scratch: bundle.scratch(),
            memo: Memo::new(bundle),
            assumes_absent: false,
            forms: NormalForms::default(),
        }
    }

    /// The same, that takes for absent what the log never tells: labels, most headers, lengths.
    #[must_use]
    pub fn assuming_absent(bundle: &'b Bundle) -> Self {
        Self {
            assumes_absent: true,
            ..Self::new(bundle)
        }
    }

    /// Decides phase by phase; `visit` is told each verdict and the alerts that fired.
    pub fn decide(
        &mut self,
        record: &LogRecord<'_>,
        mut visit: impl FnMut(Phase, Verdict, &[RuleIndex]),
    ) -> Again {
        // One set of facts that grows from phase to phase: it is too large to be copied for each.
        let mut facts = Facts::unknown();
        let Some(told) = Told::begin(record, &mut self.forms, &mut facts) else {
            return Again::NoDestination;
        };
        if self.assumes_absent {
            facts.source_labels = Fact::Absent;
        }
        let mut last = Again::NoDestination;
        for phase in Phase::ALL {
            if !told.enter(phase, &mut facts) {
                break;
            }
            if self.assumes_absent && phase != Phase::PreDns {
                assume_absent(&mut facts);
            }
            let (outcome, alerts) =
                self.memo
                    .evaluate(self.bundle, phase, &facts, &mut self.scratch);
            match outcome {
                Outcome::Undetermined => {
                    return Again::Unknown(missing(self.bundle, phase, &facts));
                }
                Outcome::Decided(verdict) => {
                    visit(phase, verdict, alerts);
                    last = Again::Decided { phase, verdict };
                    if verdict.action == Decision::Deny {
                        break;
                    }
                }
            }
        }
        last
    }
}

/// Sources that rules of the phase ask for and that are unknown.
fn missing(bundle: &Bundle, phase: Phase, facts: &Facts<'_>) -> u64 {
    let sources = bundle.sources(phase).iter();
    sources
        .filter(|source| source.is_unknown(facts))
        .fold(0, |mask, source: &Source| mask | 1 << source.index())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Options, compile_str};
    use crate::source::MemoryFiles;
    use crate::tools::log::LogReader;

    fn bundle(rules: &str) -> Bundle {
        let text = format!(
            "[defaults]\npre_dns = \"allow\"\npre_request = \"allow\"\npost_response = \"allow\"\n\
             [[group]]\npriority = 1\nname = \"g\"\n{rules}"
        );
        let compiled = compile_str(&text, MemoryFiles::default(), &Options::default()).unwrap();
        Bundle::load(compiled.emitted.unwrap().bytes).unwrap()
    }

    fn check(rules: &str, line: &str, expected: &str) {
        let bundle = bundle(rules);
        let record = LogReader::default().read(line.as_bytes()).unwrap();
        let found = match Decider::new(&bundle).decide(&record, |_, _, _| {}) {
            Again::Decided { phase, verdict } => format!("{phase} {}", verdict.action),
            Again::Unknown(mask) => {
                let bits = Source::ALL
                    .iter()
                    .filter(|source| mask >> source.index() & 1 == 1);
                format!("{:?}", bits.collect::<Vec<_>>())
            }
            Again::NoDestination => "none".to_owned(),
        };
        assert_eq!(found, expected, "{rules}\n{line}");
    }

    fn rule(phase: &str, condition: &str) -> String {
        format!("[[group.{phase}]]\nname = \"r\"\naction = \"deny\"\nwhen.{condition}\n")
    }

    #[test]
    fn what_a_line_tells() {
        let http = r#"{"domain":"a.test","port":80,"proto":"http","method":"GET","uri":"/x/%2e%2E/a","dst_ip":"192.0.2.1","tls_mode":"none","status":404,"action":"allow"}"#;
        check(
            &rule(
                "pre_dns",
                r#""request:DestinationDomain" = { DomainMatch = "test" }"#,
            ),
            http,
            "PreDNS deny",
        );
        check(
            &rule(
                "pre_request",
                r#""request:Http:Uri" = { StringEquals = "/a" }"#,
            ),
            http,
            "PreREQUEST deny",
        );
        check(
            &rule("pre_request", r#""request:TlsSni" = { Null = true }"#),
            http,
            "PreREQUEST deny",
        );
        check(
            &rule(
                "post_response",
                r#""response:Http:StatusCode" = { NumericEquals = 404 }"#,
            ),
            http,
            "PostRESPONSE deny",
        );
        check(
            &rule(
                "pre_request",
                r#""request:Http:Header/X-A" = { StringEquals = "1" }"#,
            ),
            http,
            "[RequestHeaders]",
        );
        check("", http, "PostRESPONSE allow");
    }

    #[test]
    fn what_a_line_of_a_tunnel_tells() {
        let tunnel = r#"{"domain":"a.test","port":443,"proto":"connect","method":"CONNECT","sni":"b.test","tls_mode":"passthrough","status":200,"action":"allow"}"#;
        check(
            &rule(
                "pre_request",
                r#""request:TlsSni" = { StringEquals = "b.test" }"#,
            ),
            tunnel,
            "PreREQUEST deny",
        );
        check(
            &rule(
                "pre_request",
                r#""request:Protocol" = { StringEquals = "https" }"#,
            ),
            tunnel,
            "PreREQUEST deny",
        );
        check(
            &rule("pre_request", r#""request:Http:Method" = { Null = true }"#),
            tunnel,
            "PreREQUEST deny",
        );
        check(
            &rule(
                "pre_request",
                r#""request:DestinationIp" = { IpAddress = "10.0.0.0/8" }"#,
            ),
            tunnel,
            "[DestinationIp]",
        );
        check(
            &rule(
                "post_response",
                r#""response:Http:StatusCode" = { NumericEquals = 200 }"#,
            ),
            tunnel,
            "PreREQUEST allow",
        );
    }

    #[test]
    fn what_a_line_does_not_tell() {
        let refused = r#"{"domain":"a.test","port":80,"proto":"http","method":"GET","uri":"/","tls_mode":"none","status":403,"action":"deny","phase":"PostRESPONSE"}"#;
        check(
            &rule(
                "post_response",
                r#""response:Http:StatusCode" = { NumericEquals = 403 }"#,
            ),
            refused,
            "[ResponseStatusCode]",
        );
        let unopened = r#"{"domain":"a.test","port":443,"proto":"connect","method":"CONNECT","tls_mode":"none","status":403,"action":"deny","phase":"PreDNS"}"#;
        check(
            &rule(
                "pre_request",
                r#""request:TlsSni" = { StringEquals = "b.test" }"#,
            ),
            unopened,
            "[TlsSni]",
        );
        let cut = r#"{"domain":"a.test","port":80,"proto":"http","method":"GET","uri":"/aaa…(+7)","tls_mode":"none"}"#;
        check(
            &rule(
                "pre_request",
                r#""request:Http:Uri" = { StringLike = "/aaa*" }"#,
            ),
            cut,
            "[HttpUri]",
        );
        check("", r#"{"status":400}"#, "none");
        check("", r#"{"domain":"a b","port":1}"#, "none");
        let literal = r#"{"domain":"10.0.0.1","port":80,"proto":"http","method":"GET","uri":"/","tls_mode":"none"}"#;
        check(
            &rule(
                "pre_request",
                r#""request:DestinationIp" = { IpAddress = "10.0.0.0/8" }"#,
            ),
            literal,
            "PreREQUEST deny",
        );
        check(
            &rule(
                "pre_dns",
                r#""request:DestinationDomain" = { Null = true }"#,
            ),
            literal,
            "PreDNS deny",
        );
    }
}
