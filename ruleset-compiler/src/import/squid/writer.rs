//! Lines over ACLs as they are written as rules: what each asks in a [`View`], the rules that it becomes,
//! and what the report tells of it. `access` and `reply_size` say which lines and in which order.

use sallyport_ruleset::{Action, Field, Phase, Protocol};

use super::super::condition::{Condition, Formula};
use super::super::draft::{DraftGroup, DraftRule, Names};
use super::super::report::{Difference, Effect, Fate, Place, Report};
use super::acl::View;
use super::acls::Acls;
use super::unsupported::Unsupported;
use super::url_regex::protocol;

/// Rules that one line may become.
const RULES_PER_LINE_MAX: usize = 4_096;

/// One `http_access` or `http_reply_access` line.
#[derive(Debug)]
pub(super) struct AccessLine {
    pub(super) place: Place,
    pub(super) text: String,
    pub(super) action: Action,
    /// ACL names in lower case; true: it must not match.
    pub(super) acls: Vec<(bool, String)>,
    /// The same as they are written, for names of rules.
    pub(super) words: Vec<String>,
    /// Its entry in the report.
    pub(super) entry: usize,
}

/// Conjunctions, any of which decides.
pub(super) type Alternatives = Vec<Vec<Condition>>;

/// What a line says to a view.
pub(super) type Told = Result<Alternatives, Unsupported>;

/// A line or what Squid does on the way to it, for the views of a phase.
pub(super) struct Step<'l> {
    pub(super) line: &'l AccessLine,
    pub(super) action: Action,
    /// It asks for credentials; else it is the line itself.
    pub(super) is_challenge: bool,
    /// It is decided once more in the next phase.
    is_provisional: bool,
    plain: Alternatives,
    tunnel: Alternatives,
    inside: Alternatives,
}

impl Step<'_> {
    pub(super) fn of(&self, view: View) -> &Alternatives {
        match view {
            View::Plain => &self.plain,
            View::Tunnel => &self.tunnel,
            View::Inside => &self.inside,
        }
    }

    /// Whether all that it looks at is known before the name is resolved, and means the same there.
    pub(super) fn is_early(&self, second: View) -> bool {
        let views = [&self.plain, &self.tunnel];
        let mut conditions = views.into_iter().flatten().flatten();
        conditions.all(is_early) && (second == View::Tunnel || self.inside == self.tunnel)
    }

    pub(super) fn is_all(&self, view: View) -> bool {
        self.of(view).iter().any(Vec::is_empty)
    }
}

/// What runs inside a CONNECT is known once its first bytes have come, which is after the name has
/// been resolved.
fn is_early(condition: &Condition) -> bool {
    let mut words = condition.values.items.iter();
    let asks_for_tls = condition.field == Field::Protocol
        && words
            .any(|word| [Protocol::Https.name(), Protocol::Wss.name()].contains(&word.as_str()));
    condition.field.is_available(Phase::PreDns) && !asks_for_tls
}

/// What no line decides is the opposite of the last one.
const fn opposite(action: Action) -> Action {
    match action {
        Action::Deny => Action::Allow,
        Action::Allow | Action::Alert => Action::Deny,
    }
}

/// Writes the rules of one list of lines.
pub(super) struct Writer<'a> {
    pub(super) group: DraftGroup,
    names: Names,
    acls: &'a mut Acls,
    report: &'a mut Report,
    /// Lines that are left, by their entries.
    left: Vec<usize>,
    /// Rules by the entry of the line that they come from.
    written: Vec<(usize, String)>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(name: &str, acls: &'a mut Acls, report: &'a mut Report) -> Self {
        Self {
            group: DraftGroup::new(name),
            names: Names::default(),
            acls,
            report,
            left: Vec::new(),
            written: Vec::new(),
        }
    }

    /// What ACLs that must all match ask in a view.
    ///
    /// # Errors
    /// Why one of them cannot be carried over.
    pub(super) fn formula(
        &mut self,
        acls: &[(bool, String)],
        view: View,
    ) -> Result<Formula, Unsupported> {
        let mut parts = Vec::new();
        for (negated, name) in acls {
            match self.acls.formula(name, view) {
                Ok(formula) if *negated => parts.push(formula.negated()),
                Ok(formula) => parts.push(formula),
                Err(why) => return Err(why.within(name)),
            }
        }
        Ok(Formula::all(parts))
    }

    /// The same beside something else that must hold, as rules.
    ///
    /// # Errors
    /// As above, or there would be too many.
    pub(super) fn told(&mut self, acls: &[(bool, String)], beside: Formula, view: View) -> Told {
        let formula = Formula::all([self.formula(acls, view)?, beside]);
        Ok(formula.alternatives_up_to(RULES_PER_LINE_MAX)?)
    }

    pub(super) fn line<'l>(
        &mut self,
        line: &'l AccessLine,
        views: &[View],
        steps: &mut Vec<Step<'l>>,
    ) {
        let mut step = Step::new(line, line.action);
        for view in views {
            match self.told(&line.acls, Formula::Always, *view) {
                Ok(alternatives) => *step.of_mut(*view) = alternatives,
                Err(why) => return self.leave(line, &why, Effect::of_leaving(line.action)),
            }
        }
        steps.push(step);
    }

    pub(super) fn leave(&mut self, line: &AccessLine, why: &Unsupported, effect: Effect) {
        let origin = format!("{}: {}", line.place, line.text.trim());
        let phase = match self.group.name.as_str() {
            "http-access" => Phase::PreRequest,
            _ => Phase::PostResponse,
        };
        self.group
            .remark(phase, vec![origin, format!("Left: {why}")]);
        self.left.push(line.entry);
        if let Some(entry) = self.report.entries.get_mut(line.entry) {
            entry.fate = Fate::Left(effect);
            entry.notes.push(why.to_string());
        }
    }

    /// Writes what denies by a line in each of the views: requests without a CONNECT, and those inside one
    /// that is decrypted, if there is such a view.
    pub(super) fn deny(&mut self, line: &AccessLine, by_view: &[(View, Alternatives)]) {
        let mut step = Step::new(line, Action::Deny);
        for (view, alternatives) in by_view {
            step.of_mut(*view).clone_from(alternatives);
        }
        let second = by_view.last().map_or(View::Plain, |(view, _)| *view);
        self.rules(&step, [View::Plain, second], Phase::PostResponse);
    }

    /// Tells of a line what is different.
    pub(super) fn differ(&mut self, line: &AccessLine, difference: Difference) {
        if let Some(entry) = self.report.entries.get_mut(line.entry) {
            entry.differ(difference);
        }
    }

    /// Says something about a line that is no difference.
    pub(super) fn note(&mut self, line: &AccessLine, note: &str) {
        if let Some(entry) = self.report.entries.get_mut(line.entry) {
            entry.notes.push(note.to_owned());
        }
    }

    /// What a line decides differently because these ACLs do.
    pub(super) fn effect(&self, acls: &[(bool, String)], action: Action, views: &[View]) -> Effect {
        self.acls.effect(acls, action, views)
    }

    /// Whether rules were written for a line.
    pub(super) fn has_rules(&self, line: &AccessLine) -> bool {
        self.written.iter().any(|(entry, _)| *entry == line.entry)
    }

    /// Whoever has no credentials where Squid asks for them is not served.
    pub(super) fn challenge<'l>(
        &mut self,
        line: &'l AccessLine,
        views: &[View],
        steps: &mut Vec<Step<'l>>,
    ) {
        let mut step = Step::new(line, Action::Deny);
        step.is_challenge = true;
        for view in views {
            let asked = self.acls.challenge(&line.acls, *view);
            // Too many cases: nobody without credentials is served from here on.
            *step.of_mut(*view) = asked
                .alternatives_up_to(RULES_PER_LINE_MAX)
                .unwrap_or_else(|_| vec![vec![Condition::null(Field::Principal, true)]]);
        }
        let asks = views.iter().any(|view| !step.of(*view).is_empty());
        let is_said = steps.iter().any(|before| {
            before.is_challenge
                && views
                    .iter()
                    .all(|view| before.of(*view).iter().any(|all| all.len() == 1))
        });
        if asks && !is_said {
            steps.push(step);
        }
    }

    /// What is decided where no line does. A last denial that is left would let the rest pass: all of
    /// it is denied.
    pub(super) fn default(
        &mut self,
        lines: &[AccessLine],
        steps: &[Step<'_>],
        second: View,
    ) -> Action {
        let Some(last) = lines.last() else {
            return Action::Deny;
        };
        if self.left.contains(&last.entry) {
            if last.action == Action::Deny
                && let Some(entry) = self.report.entries.get_mut(last.entry)
            {
                entry.fate = Fate::Changed(Effect::Narrower);
                entry.notes.push(
                    "it is the last line: instead of what it denies, everything that no line decides is denied"
                        .to_owned(),
                );
            }
            return Action::Deny;
        }
        let is_all = steps.last().is_some_and(|step| {
            std::ptr::eq(step.line, last) && step.is_all(View::Plain) && step.is_all(second)
        });
        if is_all {
            last.action
        } else {
            opposite(last.action)
        }
    }

    pub(super) fn default_line(&mut self, line: &AccessLine, phase: Phase) {
        let origin = format!("{}: {}", line.place, line.text.trim());
        self.group.remark(
            phase,
            vec![
                origin,
                "This is the default of the phase, in ruleset.toml.".to_owned(),
            ],
        );
        if let Some(entry) = self.report.entries.get_mut(line.entry) {
            entry.notes.push(format!("it is the default of {phase}"));
        }
    }

    /// What can be said before the name is resolved of a list that is decided later; its default.
    pub(super) fn early(&mut self, steps: &[Step<'_>], default: Action, second: View) -> Action {
        let mut relaxed: Vec<Step<'_>> = Vec::new();
        let mut at_end = default;
        let mut only_denied = true;
        for step in steps {
            let mut early = Step::new(step.line, step.action);
            only_denied &= step.action == Action::Deny && step.is_early(second);
            early.is_provisional = !only_denied;
            early.is_challenge = step.is_challenge;
            for view in [View::Plain, View::Tunnel] {
                *early.of_mut(view) = match step.action {
                    Action::Allow => step.of(view).iter().map(|all| known_early(all)).collect(),
                    Action::Deny | Action::Alert => {
                        let known = step.of(view).iter().filter(|all| all.iter().all(is_early));
                        known.cloned().collect()
                    }
                };
            }
            if step.action == Action::Allow
                && early.is_all(View::Plain)
                && early.is_all(View::Tunnel)
            {
                at_end = Action::Allow;
                break;
            }
            relaxed.push(early);
        }
        while at_end == Action::Allow
            && relaxed
                .last()
                .is_some_and(|step| step.action == Action::Allow)
        {
            relaxed.pop();
        }
        for step in &relaxed {
            self.rules(step, [View::Plain, View::Tunnel], Phase::PreDns);
        }
        at_end
    }

    /// The rules of a step for requests without a CONNECT and for the others; once for both where
    /// they are the same.
    pub(super) fn rules(&mut self, step: &Step<'_>, [plain, other]: [View; 2], phase: Phase) {
        let (of_plain, of_other) = (step.of(plain), step.of(other));
        if of_plain == of_other {
            self.write(step, of_plain, phase);
            return;
        }
        let connect = protocol(&[Protocol::Connect]);
        let guarded = |alternatives: &Alternatives, guard: &Formula| {
            let mut found = Vec::new();
            for conditions in alternatives {
                let parts = conditions.iter().cloned().map(Formula::One);
                let all = Formula::all(std::iter::once(guard.clone()).chain(parts));
                found.extend(all.alternatives_up_to(1).unwrap_or_default());
            }
            found
        };
        let rules = guarded(of_plain, &connect.clone().negated());
        self.write(step, &rules, phase);
        let rules = guarded(of_other, &connect);
        self.write(step, &rules, phase);
    }

    fn write(&mut self, step: &Step<'_>, rules: &Alternatives, phase: Phase) {
        let line = step.line;
        let origin = format!("{}: {}", line.place, line.text.trim());
        for conditions in rules {
            let mut lines = vec![origin.clone()];
            let mut wanted = rule_name(line);
            if step.is_challenge {
                wanted = format!("no-user-{wanted}");
                lines.push("Squid asks for credentials here: nobody passes without.".to_owned());
            }
            if step.is_provisional {
                wanted = format!("early-{wanted}");
            }
            let name = self.names.unique(&wanted);
            self.written
                .push((line.entry, format!("{}/{name}", self.group.name)));
            self.group.push(
                phase,
                DraftRule {
                    name,
                    description: String::new(),
                    action: step.action,
                    conditions: conditions.clone(),
                    origin: lines,
                },
            );
        }
    }

    /// Tells of each line what it became.
    pub(super) fn settle<'l>(
        &mut self,
        lines: impl IntoIterator<Item = &'l AccessLine>,
        views: &[View],
    ) {
        for line in lines {
            let rules: Vec<String> = self
                .written
                .iter()
                .filter(|(entry, _)| *entry == line.entry)
                .map(|(_, rule)| rule.clone())
                .collect();
            for (_, name) in &line.acls {
                self.acls.mark_used(name, &rules);
            }
            let effect = self.acls.effect(&line.acls, line.action, views);
            let of_predefined = self.acls.differences_of_predefined(&line.acls, views);
            let Some(entry) = self.report.entries.get_mut(line.entry) else {
                continue;
            };
            if rules.is_empty() && entry.notes.is_empty() {
                entry.fate = Fate::Unneeded;
                entry
                    .notes
                    .push("it never matches, or comes to nothing".to_owned());
            } else if matches!(entry.fate, Fate::Carried | Fate::Changed(_))
                && effect != Effect::Neither
            {
                entry.differ(Difference::new(effect, "its ACLs say what is different"));
                entry.notes.extend(of_predefined);
            }
            entry.rules = rules;
        }
    }
}

impl<'l> Step<'l> {
    const fn new(line: &'l AccessLine, action: Action) -> Self {
        Self {
            line,
            action,
            is_challenge: false,
            is_provisional: false,
            plain: Vec::new(),
            tunnel: Vec::new(),
            inside: Vec::new(),
        }
    }

    const fn of_mut(&mut self, view: View) -> &mut Alternatives {
        match view {
            View::Plain => &mut self.plain,
            View::Tunnel => &mut self.tunnel,
            View::Inside => &mut self.inside,
        }
    }
}

/// What of a conjunction is known before the name is resolved.
fn known_early(conditions: &[Condition]) -> Vec<Condition> {
    let known = conditions.iter().filter(|condition| is_early(condition));
    known.cloned().collect()
}

/// `deny-CONNECT-not-SSL_ports`
fn rule_name(line: &AccessLine) -> String {
    let mut name = match line.action {
        Action::Allow => "allow".to_owned(),
        Action::Deny | Action::Alert => "deny".to_owned(),
    };
    for word in &line.words {
        let (link, acl) = match word.strip_prefix('!') {
            Some(acl) => ("-not-", acl),
            None => ("-", word.as_str()),
        };
        name.push_str(link);
        name.push_str(acl);
    }
    name
}
