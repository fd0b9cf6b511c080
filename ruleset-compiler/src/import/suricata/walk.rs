//! From the lines of a source to rules, and what becomes of each for the report.

use std::collections::BTreeMap;
use std::rc::Rc;

use sallyport_ruleset::Field;

use super::super::condition::{Checker, Formula};
use super::super::input::InputFiles;
use super::super::outcome::{Import, ImportError, Origin};
use super::super::report::{self, Effect, Entry, Fate, Matching, Place, Report};
use super::application;
use super::bound::Difference;
use super::chain::Test;
use super::endpoint::Endpoints;
use super::flowbit;
use super::option::{self, Options};
use super::order::{Ruled, Rules};
use super::parse::{self, RuleText};
use super::rule::{Context, SuricataAction, Without};
use super::settings::{Default, Order, SuricataOptions};
use super::source::{self, Body, Line, ListRule, RuleGroup};
use super::unsupported::Unsupported;

/// Imports a file of rules, the JSON of a rule group, a CloudFormation template or Terraform.
///
/// # Errors
/// When it cannot be read, holds no rule, or its result does not compile.
pub fn import(
    files: &dyn InputFiles,
    path: &str,
    options: &SuricataOptions,
) -> Result<Import, ImportError> {
    let text = files.text(path).map_err(|why| ImportError::Unreadable {
        path: path.to_owned(),
        why,
    })?;
    let file: Rc<str> = path.into();
    let mut report = Report::default();
    let source =
        source::read(files, &file, &text, &mut report).map_err(|error| ImportError::Document {
            path: path.to_owned(),
            error,
        })?;
    let mut walk = Walk {
        files,
        report,
        checker: Checker::default(),
        variables: BTreeMap::new(),
        tls_inspection: options.tls_inspection,
        taken_for_any: Vec::new(),
        told: 0,
        rules: Vec::new(),
        unknown_bits: Vec::new(),
        handshakes: Vec::new(),
        rejects: false,
    };
    for group in &source.groups {
        walk.variables.clone_from(&source.variables);
        walk.variables.extend(group.variables.clone());
        walk.variables.extend(options.variables.clone());
        for line in &group.lines {
            walk.line(line);
        }
    }
    let of_source = source.strict_order.or_else(|| order_of(&source.groups));
    let of_source = of_source.map(|strict| if strict { Order::Strict } else { Order::Action });
    let order = options.order.or(of_source).unwrap_or(Order::Action);
    let default = options.default.or(source.default);
    let (draft, report) = walk.finish(path, order, default);
    let what = "is a rule of Suricata that can be carried over";
    Import::new(draft, report, Origin { path, what })
}

/// The order that a group says.
fn order_of(groups: &[RuleGroup]) -> Option<bool> {
    groups.iter().find_map(|group| group.strict_order)
}

struct Walk<'a> {
    files: &'a dyn InputFiles,
    report: Report,
    checker: Checker,
    variables: BTreeMap<String, String>,
    tls_inspection: bool,
    taken_for_any: Vec<String>,
    /// Of those, how many the report has.
    told: usize,
    rules: Vec<Ruled>,
    unknown_bits: Vec<String>,
    /// Rules that let handshakes pass.
    handshakes: Vec<RuleText>,
    /// There is a `reject`.
    rejects: bool,
}

impl Walk<'_> {
    fn line(&mut self, line: &Line) {
        match &line.body {
            Body::Rule => {}
            Body::Template(why) => {
                let action = SuricataAction::parse(&parse::first_word(&line.text));
                return self.left(line, "rule", action, why.clone());
            }
            Body::Listed(rule) => return self.listed(line, rule),
        }
        let rule = match parse::rule(&line.text) {
            Ok(rule) => rule,
            Err(why) => {
                let action = SuricataAction::parse(&parse::first_word(&line.text));
                return self.left(line, "rule", action, why.to_string());
            }
        };
        let kind = format!("{} {}", rule.action, rule.protocol);
        let Some(action) = SuricataAction::parse(&rule.action) else {
            let why = format!("`{}` is no action that is known here", rule.action);
            return self.left(line, &kind, None, why);
        };
        match self.rule(line, &rule, action, &kind) {
            Ok(()) => {}
            Err(Without::Unneeded(why)) => self.tell(line, &kind, Fate::Unneeded, vec![why]),
            Err(Without::Left(why)) => {
                self.unknown_bits.extend(flowbit::names_set(&rule.options));
                self.left(line, &kind, Some(action), why.to_string());
            }
        }
    }

    fn tell(&mut self, line: &Line, kind: &str, fate: Fate, notes: Vec<String>) {
        let mut entry = Entry::new(line.place.clone(), &line.text, kind, fate);
        entry.notes = notes;
        self.report.push(entry);
    }

    fn left(&mut self, line: &Line, kind: &str, action: Option<SuricataAction>, why: String) {
        let effect = action.map_or(Effect::Either, |action| Effect::of_leaving(action.ours()));
        self.tell(line, kind, Fate::Left(effect), vec![why]);
    }

    /// A rule that a domain list makes, about the clients at home.
    fn listed(&mut self, line: &Line, rule: &ListRule) {
        let mut endpoints = Endpoints {
            variables: &self.variables,
            checker: &mut self.checker,
            taken_for_any: std::mem::take(&mut self.taken_for_any),
            is_negated: false,
        };
        let home = endpoints.addresses("$HOME_NET", &Field::SourceIp);
        self.taken_for_any = endpoints.taken_for_any;
        self.tell_of_variables(&line.place);
        let home = match home {
            Ok(home) => home,
            Err(why) => {
                return self.left(line, "domain list", Some(rule.action), why.to_string());
            }
        };
        self.carried(line, "domain list", rule.action, &[]);
        self.rules.push(Ruled {
            action: rule.action,
            formula: Formula::all([home, rule.formula.clone()]),
            sets: Vec::new(),
            bits: Vec::new(),
            is_exact: true,
            tells: false,
            is_silent: false,
            name: rule.name.to_owned(),
            message: String::new(),
            origin: format!("{}: {}", line.place, line.text),
            looks_inside: true,
            meets_handshakes: false,
            entry: self.report.entries.len() - 1,
        });
    }

    fn rule(
        &mut self,
        line: &Line,
        rule: &RuleText,
        action: SuricataAction,
        kind: &str,
    ) -> Result<(), Without> {
        if let Some(why) = application::never_here(&rule.protocol) {
            return Err(Without::Unneeded(why.to_owned()));
        }
        if action == SuricataAction::Alert && does_nothing(&rule.options) {
            return Err(Without::Unneeded("it tells nobody (`noalert`)".to_owned()));
        }
        let mut options = option::read(&rule.options)?;
        self.lists(&mut options)?;
        let mut context = Context {
            variables: &self.variables,
            tls_inspection: self.tls_inspection,
            checker: &mut self.checker,
            taken_for_any: &mut self.taken_for_any,
        };
        let is_handshake = action == SuricataAction::Pass
            && (options.flow.not_established || options.of_first_packet);
        if is_handshake {
            self.handshakes.push(rule.clone());
        }
        let meaning = context.meaning(rule, &options, action)?;
        self.tell_of_variables(&line.place);
        let is_exact = |difference: &Difference| difference.matching == Matching::Same;
        let is_exact = meaning.differences.iter().all(is_exact);
        self.carried(line, kind, action, &meaning.differences);
        self.rules.push(Ruled {
            action,
            formula: meaning.formula,
            sets: options.sets.clone(),
            bits: options.bits.clone(),
            is_exact,
            tells: options.tells && action == SuricataAction::Pass,
            is_silent: options.is_silent,
            name: if options.sid.is_empty() {
                format!("line-{}", line.place.line)
            } else {
                format!("sid-{}", options.sid)
            },
            message: options.message.clone(),
            origin: format!("{}: {}", line.place, line.text),
            looks_inside: options.looks_inside() || !application::is_anything(&rule.protocol),
            meets_handshakes: !options.flow.established && !self.lets_handshakes_pass(rule),
            entry: self.report.entries.len() - 1,
        });
        Ok(())
    }

    /// A rule before this one lets the handshakes pass that this one meets.
    fn lets_handshakes_pass(&self, rule: &RuleText) -> bool {
        let covers = |wide: &parse::Side, narrow: &parse::Side| {
            (wide.addresses == "any" || wide.addresses == narrow.addresses)
                && (wide.ports == "any" || wide.ports == narrow.ports)
        };
        let mut handshakes = self.handshakes.iter();
        handshakes.any(|passed| {
            covers(&passed.source, &rule.source) && covers(&passed.destination, &rule.destination)
        })
    }

    /// The files of `dataset`: a string in base64 on each line.
    fn lists(&mut self, options: &mut Options) -> Result<(), Unsupported> {
        for dataset in std::mem::take(&mut options.datasets) {
            let path = &dataset.path;
            let text = self.files.text(path).map_err(|why| {
                self.report.unread(path);
                Unsupported::Unread {
                    path: path.clone(),
                    why: why.to_string(),
                }
            })?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let items = lines.map(|line| {
                data_encoding::BASE64
                    .decode(line.as_bytes())
                    .map_err(|_| Unsupported::Base64 {
                        line: line.to_owned(),
                        path: path.clone(),
                    })
            });
            let items = items.collect::<Result<Vec<_>, _>>()?;
            if let Some(used) = options.uses.get_mut(dataset.used) {
                used.tests.push(Test::Listed {
                    items,
                    negated: dataset.negated,
                });
            }
        }
        Ok(())
    }

    fn carried(
        &mut self,
        line: &Line,
        kind: &str,
        action: SuricataAction,
        differences: &[Difference],
    ) {
        let mut entry = Entry::new(line.place.clone(), &line.text, kind, Fate::Carried);
        for difference in differences {
            if !entry.notes.contains(&difference.note) {
                let effect = difference.matching.under(action.ours());
                entry.differ(report::Difference::new(effect, &difference.note));
            }
        }
        self.rejects |= action == SuricataAction::Reject;
        self.report.push(entry);
    }

    /// The first rule that rests on a variable which nobody defined tells it.
    fn tell_of_variables(&mut self, place: &Place) {
        for name in self.taken_for_any.iter().skip(self.told) {
            let fate = Fate::Changed(Effect::Wider);
            self.report.push(
                Entry::new(place.clone(), &format!("${name}"), "variable", fate).note(format!(
                    "it is not defined and taken for any address; `--var {name}=…` defines it"
                )),
            );
        }
        self.told = self.taken_for_any.len();
    }

    fn finish(
        mut self,
        path: &str,
        order: Order,
        default: Option<Default>,
    ) -> (super::super::draft::Draft, Report) {
        let decided = default.unwrap_or(match order {
            Order::Action => Default::Allow,
            Order::Strict => Default::Deny,
        });
        self.remarks(order, decided, default.is_some());
        let rules = Rules {
            rules: self.rules,
            unknown_bits: self.unknown_bits,
            report: self.report,
            is_default_given: default.is_some(),
        };
        rules.draft(path, order, decided)
    }

    fn remarks(&mut self, order: Order, decided: Default, given: bool) {
        let order = match order {
            Order::Strict => "in the order of the file (strict order)",
            Order::Action => "by action: pass, drop, reject, alert",
        };
        let decided = match decided {
            Default::Allow => "passes",
            Default::Alert => "passes and is told",
            Default::Deny => "is denied",
        };
        let why = if given {
            ""
        } else {
            "; that is the policy's default action, which is not in the rules: `--default` says it"
        };
        self.report.remark(format!(
            "rules are asked {order}; what no rule decides {decided}{why}"
        ));
        self.report.remark(
            "what is denied is logged as denied; alerts that would come after it are not told",
        );
        if self.rejects {
            self.report.remark(
                "`reject`: the client is answered 403, or a TLS alert, instead of a TCP reset",
            );
        }
    }
}

/// It tells nobody and remembers nothing.
fn does_nothing(options: &[(String, Option<String>)]) -> bool {
    const REMEMBER: [&str; 6] = [
        "flowbits", "flowint", "xbits", "hostbits", "dataset", "datarep",
    ];
    let has = |wanted: &str| options.iter().any(|(name, _)| name == wanted);
    has("noalert") && !REMEMBER.iter().any(|word| has(word))
}
