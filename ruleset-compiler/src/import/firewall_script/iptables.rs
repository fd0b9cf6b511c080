//! One `iptables` command.

/// What a command does to a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `-P CHAIN TARGET`
    Policy { chain: String, target: String },
    /// `-A` or `-I`.
    Rule {
        chain: String,
        first: bool,
        rule: Box<Matches>,
    },
    /// Rules of a chain, or of all of them, go.
    Flush(Option<String>),
    /// Chains are made, listed, renamed.
    Other,
}

/// What a rule asks, as written; variables are not worked in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Matches {
    pub(super) protocol: Option<String>,
    /// Negated, and the text.
    pub(super) destination: Option<(bool, String)>,
    pub(super) ports: Option<(bool, String)>,
    pub(super) set: Option<(bool, String)>,
    pub(super) states: Option<String>,
    /// Negated, and the name.
    pub(super) interface: Option<(bool, String)>,
    pub(super) target: String,
    /// Something that a proxy does not know.
    pub(super) unknown: Option<String>,
}

impl Matches {
    /// Adds an option that is not known, or the value of one.
    fn add_unknown(&mut self, word: &str) {
        let before = self.unknown.take();
        let whole = before.map_or_else(|| word.to_owned(), |before| format!("{before} {word}"));
        self.unknown = Some(whole);
    }
}

/// Reads the words behind `iptables`.
pub(super) fn read(words: &[String]) -> Command {
    let mut matches = Matches::default();
    let mut command = Command::Other;
    let mut negated = false;
    let mut words = words.iter().map(String::as_str).peekable();
    let mut table = "filter";
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or("").to_owned();
        let is_not = std::mem::take(&mut negated);
        match word {
            "!" => negated = true,
            "-t" | "--table" => table = words.next().unwrap_or("filter"),
            "-P" | "--policy" => {
                let (chain, target) = (value(), value());
                command = Command::Policy { chain, target };
            }
            "-A" | "--append" | "-I" | "--insert" => {
                let chain = value();
                let first = word.starts_with("-I") || word == "--insert";
                // `-I CHAIN 1`
                if first && words.peek().is_some_and(|word| word.parse::<u32>().is_ok()) {
                    words.next();
                }
                command = Command::Rule {
                    chain,
                    first,
                    rule: Box::default(),
                };
            }
            "-F" | "--flush" => {
                let chain = words
                    .next_if(|word| !word.starts_with('-'))
                    .map(str::to_owned);
                command = Command::Flush(chain);
            }
            "-p" | "--protocol" | "--proto" if !is_not => matches.protocol = Some(value()),
            "-d" | "--destination" | "--dst" => matches.destination = Some((is_not, value())),
            "--dport" | "--dports" | "--destination-port" | "--destination-ports" | "--ports" => {
                matches.ports = Some((is_not, value()));
            }
            "--match-set" => {
                let (name, side) = (value(), value());
                if side != "dst" {
                    matches.unknown = Some(format!("--match-set {name} {side}"));
                }
                matches.set = Some((is_not, name));
            }
            "--state" | "--ctstate" if !is_not => matches.states = Some(value()),
            "-o" | "--out-interface" => matches.interface = Some((is_not, value())),
            "-j" | "--jump" | "-g" | "--goto" => matches.target = value(),
            "-m" | "--match" | "--comment" | "--reject-with" | "--log-prefix" | "--log-level"
            | "--wait-interval" => {
                value();
            }
            "-w" | "--wait" | "-v" | "-n" | "-4" | "-6" | "--syn" => {}
            other => matches.add_unknown(other),
        }
    }
    if table != "filter" {
        return Command::Other;
    }
    match command {
        Command::Rule { chain, first, .. } => Command::Rule {
            chain,
            first,
            rule: Box::new(matches),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Command {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        read(&words)
    }

    #[test]
    fn commands() {
        let Command::Rule { chain, first, rule } =
            of("-I OUTPUT 1 -p tcp ! -d 10.0.0.0/8 -m multiport --dports 80,443 -j DROP")
        else {
            unreachable!("it is a rule")
        };
        assert_eq!(
            (chain.as_str(), first, rule.target.as_str()),
            ("OUTPUT", true, "DROP")
        );
        assert_eq!(rule.destination, Some((true, "10.0.0.0/8".to_owned())));
        assert_eq!(rule.ports, Some((false, "80,443".to_owned())));
        assert_eq!(of("-F"), Command::Flush(None));
        assert_eq!(of("-t nat -A OUTPUT -j ACCEPT"), Command::Other);
        let Command::Rule { rule, .. } = of("-A OUTPUT -m owner --uid-owner root -j ACCEPT") else {
            unreachable!("it is a rule")
        };
        assert!(rule.unknown.is_some());
    }
}
