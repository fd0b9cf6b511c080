//! The walk over a configuration: which line says what, then the rules, then the report.

use std::collections::hash_map::Entry as MapEntry;

use sallyport_ruleset::Action;

use super::super::condition::Checker;
use super::super::draft::{ALLOW_BY_DEFAULT, DefaultsBy, Draft};
use super::super::input::InputFiles;
use super::super::outcome::{Import, ImportError, Origin};
use super::super::report::{Effect, Entry, Fate, Place, Report};
use super::access::{always_allowed, request_rules, response_rules};
use super::acl::{Acl, AclLine, AclValue, PREDEFINED, Translator};
use super::acls::{Acls, acl_reference};
use super::read::{self, Line, Word};
use super::reply_size::{self, SizeLine, size_rules};
use super::settings::{self, SettingLine};
use super::unsupported::Unsupported;
use super::vocabulary::directive_left;
use super::writer::AccessLine;

/// What the configuration does not say.
#[derive(Clone, Debug, Default)]
pub struct SquidOptions {
    /// The time zone of the machine, as `Europe/Zurich`; UTC if it is not given.
    pub zone: Option<String>,
    /// Requests inside decrypted tunnels are judged too, as with `ssl_bump`.
    pub decrypt: bool,
    /// The file of the authority that signs for intercepted names, for `sallyport.toml`.
    pub authority: Option<String>,
}

/// Imports a configuration and the files that it names.
///
/// # Errors
/// When the configuration cannot be read, or what was made of it does not compile.
pub fn import(
    files: &dyn InputFiles,
    path: &str,
    options: &SquidOptions,
) -> Result<Import, ImportError> {
    let mut report = Report::default();
    let lines = read::lines(files, path, &mut report).map_err(|why| ImportError::Unreadable {
        path: path.to_owned(),
        why,
    })?;
    let mut walk = Walk {
        files,
        report,
        acls: Acls::new(Translator {
            checker: Checker::default(),
            zone: options.zone.clone(),
        }),
        requests: Vec::new(),
        responses: Vec::new(),
        sizes: Vec::new(),
        decrypts: options.decrypt,
        settings: Vec::new(),
    };
    walk.predefine();
    for line in &lines {
        walk.line(line);
    }
    let configuration = walk.settings(options.authority.as_deref());
    let (draft, report) = walk.finish(path);
    let what = "is a line of a Squid configuration that says what may be requested";
    let mut import = Import::new(draft, report, Origin { path, what })?;
    import
        .files
        .push((settings::FILE.to_owned(), configuration));
    Ok(import)
}

struct Walk<'a> {
    files: &'a dyn InputFiles,
    report: Report,
    acls: Acls,
    requests: Vec<AccessLine>,
    responses: Vec<AccessLine>,
    sizes: Vec<SizeLine>,
    /// Squid judges each request inside a CONNECT besides.
    decrypts: bool,
    /// What is no access rule.
    settings: Vec<SettingLine>,
}

impl Walk<'_> {
    /// What Squid itself says comes first; lines of the configuration add to it.
    fn predefine(&mut self) {
        for (name, text) in PREDEFINED {
            let line = read::line_of("Squid's own", text);
            let mut words = line.words.iter().filter_map(Word::plain);
            let kind = words.nth(2).unwrap_or_default().to_owned();
            let parsed = self.acl_line(&line, &kind, None);
            let acl = Acl {
                name: name.to_owned(),
                kind,
                lines: vec![parsed],
            };
            self.acls.by_name.insert(name.to_ascii_lowercase(), acl);
            self.acls.names.push(name.to_ascii_lowercase());
        }
    }

    fn line(&mut self, line: &Line) {
        let Some(directive) = line.words.first().and_then(Word::plain) else {
            return;
        };
        if line.conditional {
            let decides = [
                "acl",
                "http_access",
                "http_reply_access",
                "reply_body_max_size",
                "include",
            ];
            let effect = if decides.contains(&directive) {
                Effect::Either
            } else {
                Effect::Neither
            };
            self.leave(line, "conditional", effect, directive_left("if"));
            return;
        }
        match directive {
            "acl" => self.acl(line),
            "http_access" => {
                let access = self.access(line);
                self.requests.extend(access);
            }
            "http_reply_access" => {
                let access = self.access(line);
                self.responses.extend(access);
            }
            "ssl_bump" => {
                self.setting(line, directive);
                let mut words = line.words.iter().filter_map(Word::plain).skip(1);
                let decrypting = ["bump", "stare", "client-first", "server-first", "allow"];
                self.decrypts |= words.next().is_some_and(|word| decrypting.contains(&word));
            }
            "external_acl_type" => {
                self.leave(line, directive, Effect::Neither, directive_left(directive));
                let mut words = line.words.iter().filter_map(Word::plain).skip(1);
                let name = words.next().unwrap_or_default().to_owned();
                let asks = |word: &str| {
                    ["%login", "%ul", "%un", "%{login}"]
                        .iter()
                        .any(|format| word.to_ascii_lowercase().contains(format))
                };
                if words.any(asks) {
                    self.acls.helpers_with_login.push(name);
                }
            }
            "reply_body_max_size" => {
                let sized = self.sized(line, directive);
                self.sizes.extend(sized);
            }
            _ => self.setting(line, directive),
        }
    }

    /// What may have a place in the configuration: told of when all ACLs are known.
    fn setting(&mut self, line: &Line, directive: &str) {
        self.leave(line, directive, Effect::Neither, directive_left(directive));
        self.settings.push(SettingLine {
            entry: self.report.entries.len() - 1,
            words: line.words.iter().map(Word::text).collect(),
        });
    }

    fn settings(&mut self, authority: Option<&str>) -> String {
        let lines = std::mem::take(&mut self.settings);
        settings::file(&lines, &mut self.acls, authority, &mut self.report)
    }

    fn leave(&mut self, line: &Line, kind: &str, effect: Effect, why: &str) {
        let fate = Fate::Left(effect);
        let entry = Entry::new(line.place.clone(), &line.text, kind, fate).note(why);
        self.report.push(entry);
    }

    /// Adds an entry whose fate is found out later; its position.
    fn open_entry(&mut self, line: &Line, kind: String) -> usize {
        self.report.push(Entry::new(
            line.place.clone(),
            &line.text,
            kind,
            Fate::Carried,
        ));
        self.report.entries.len() - 1
    }

    fn access(&mut self, line: &Line) -> Option<AccessLine> {
        let mut words = line.words.iter().filter_map(Word::plain);
        let directive = words.next()?.to_owned();
        let action = match words.next() {
            Some("allow") => Action::Allow,
            Some("deny") => Action::Deny,
            _ => {
                self.leave(
                    line,
                    &directive,
                    Effect::Neither,
                    "it says neither `allow` nor `deny`: Squid skips it",
                );
                return None;
            }
        };
        let words: Vec<String> = words.map(str::to_owned).collect();
        if words.is_empty() {
            let entry = Entry::new(line.place.clone(), &line.text, directive, Fate::Unneeded);
            self.report
                .push(entry.note("it names no ACL: Squid skips it"));
            return None;
        }
        Some(self.access_line(line, directive, action, words))
    }

    fn access_line(
        &mut self,
        line: &Line,
        directive: String,
        action: Action,
        words: Vec<String>,
    ) -> AccessLine {
        AccessLine {
            place: line.place.clone(),
            text: line.text.clone(),
            action,
            acls: words.iter().map(|word| acl_reference(word)).collect(),
            words,
            entry: self.open_entry(line, directive),
        }
    }

    /// A line of `reply_body_max_size`.
    fn sized(&mut self, line: &Line, directive: &str) -> Option<SizeLine> {
        let words = line.words.iter().filter_map(Word::plain).skip(1);
        let words: Vec<String> = words.map(str::to_owned).collect();
        match reply_size::limit(&words) {
            Ok((limit, acls)) => {
                let acls = acls.to_vec();
                let action = limit.map_or(Action::Allow, |_| Action::Deny);
                let access = self.access_line(line, directive.to_owned(), action, acls);
                Some(SizeLine::new(limit, access))
            }
            Err(why) => {
                self.leave(line, directive, Effect::Either, &why.to_string());
                None
            }
        }
    }

    fn acl(&mut self, line: &Line) {
        let mut plain = line.words.iter().skip(1).map(Word::plain);
        let (Some(Some(name)), Some(Some(kind))) = (plain.next(), plain.next()) else {
            self.leave(line, "acl", Effect::Neither, "it has no name or no type");
            return;
        };
        let (name, kind) = (name.to_owned(), kind.to_owned());
        let key = name.to_ascii_lowercase();
        let other_kind = self.acls.by_name.get(&key).filter(|acl| acl.kind != kind);
        if let Some(other) = other_kind {
            return self.other_kind(line, &kind, other.kind.clone());
        }
        let entry = self.open_entry(line, format!("acl {kind}"));
        let parsed = self.acl_line(line, &kind, Some(entry));
        match self.acls.by_name.entry(key.clone()) {
            MapEntry::Occupied(mut known) => known.get_mut().lines.push(parsed),
            MapEntry::Vacant(vacant) => {
                vacant.insert(Acl {
                    name,
                    kind,
                    lines: vec![parsed],
                });
                self.acls.names.push(key);
            }
        }
    }

    /// A name that is there with another type. Old configurations say themselves what Squid says today.
    fn other_kind(&mut self, line: &Line, kind: &str, known: String) {
        let name = line.words.get(1).and_then(Word::plain).unwrap_or_default();
        if name.eq_ignore_ascii_case("manager") && kind == "proto" {
            let entry = Entry::new(
                line.place.clone(),
                &line.text,
                format!("acl {kind}"),
                Fate::Unneeded,
            );
            self.report.push(entry.note(
                "Squid says `manager` itself today, and nothing of the scheme `cache_object` comes here",
            ));
            return;
        }
        let why = format!("`{name}` is of type `{known}` already: Squid would not start");
        self.leave(line, &format!("acl {kind}"), Effect::Either, &why);
    }

    /// Options stand before the values; `-i` and `+i` may stand between expressions.
    fn acl_line(&mut self, line: &Line, kind: &str, entry: Option<usize>) -> AclLine {
        let mut parsed = AclLine {
            place: line.place.clone(),
            entry,
            header: None,
            no_lookup: false,
            values: Vec::new(),
            unread: None,
        };
        let is_expression = kind.ends_with("_regex")
            || [
                "browser",
                "req_header",
                "rep_header",
                "req_mime_type",
                "rep_mime_type",
            ]
            .contains(&kind);
        let names_header = ["req_header", "rep_header"].contains(&kind);
        let mut ignore_case = false;
        for word in line.words.iter().skip(3) {
            let may_be_option = is_expression || parsed.values.is_empty();
            match word {
                Word::Plain(text) if text == "-i" && may_be_option => ignore_case = true,
                Word::Plain(text) if text == "+i" && may_be_option => ignore_case = false,
                Word::Plain(text) if text == "-n" && parsed.values.is_empty() => {
                    parsed.no_lookup = true
                }
                Word::Plain(text) if text == "--" && parsed.values.is_empty() => {}
                Word::Plain(text) if is_name_option(text) && parsed.values.is_empty() => {}
                Word::Plain(text) if names_header && parsed.header.is_none() => {
                    parsed.header = Some(text.clone());
                }
                Word::Plain(text) => parsed.values.push(AclValue {
                    text: text.clone(),
                    place: line.place.clone(),
                    ignore_case,
                }),
                Word::File(path) => {
                    let values = match self.file_values(line, path) {
                        Ok(values) => values,
                        Err(why) => {
                            parsed.unread = Some(why);
                            Vec::new()
                        }
                    };
                    parsed
                        .values
                        .extend(values.into_iter().map(|value| AclValue {
                            text: value.text,
                            place: value.place,
                            ignore_case,
                        }));
                }
            }
        }
        parsed
    }

    fn file_values(&mut self, line: &Line, path: &str) -> Result<Vec<read::Value>, Unsupported> {
        match self.files.text(path) {
            Ok(text) => Ok(read::file_values(path, &text)),
            Err(why) => {
                let why = Unsupported::Unread {
                    path: path.to_owned(),
                    why: why.to_string(),
                };
                self.leave(line, "acl file", Effect::Neither, &why.to_string());
                self.report.unread(path);
                Err(why)
            }
        }
    }

    fn finish(mut self, path: &str) -> (Draft, Report) {
        let by = if self.requests.is_empty() {
            DefaultsBy::Assumption("there is no `http_access` line in it")
        } else {
            DefaultsBy::Source
        };
        let mut draft = Draft::new(ALLOW_BY_DEFAULT, by);
        draft.about = vec![
            format!("Imported from {path} by `sallyport-rules import squid`."),
            "import-report.txt says line by line what became of it.".to_owned(),
        ];
        if self.requests.is_empty() {
            self.report
                .remark("there is no `http_access` line that counts: Squid denies everything then, and so does this");
        }
        if self.decrypts {
            self.report.remark(
                "TLS is decrypted: each request inside a tunnel is judged besides the CONNECT, as Squid does with `ssl_bump`",
            );
        }
        request_rules(
            &self.requests,
            self.decrypts,
            &mut self.acls,
            &mut self.report,
            &mut draft,
        );
        if !self.sizes.is_empty() || !self.responses.is_empty() {
            draft.groups.push(always_allowed());
        }
        size_rules(
            &self.sizes,
            self.decrypts,
            &mut self.acls,
            &mut self.report,
            &mut draft,
        );
        response_rules(
            &self.responses,
            self.decrypts,
            &mut self.acls,
            &mut self.report,
            &mut draft,
        );
        self.acls.settle(&mut self.report);
        let left: Vec<Entry> = self
            .acls
            .left_values()
            .into_iter()
            .map(|(acl, (place, text, why))| {
                let kind = format!("acl {} value", acl.kind);
                let effect = format!("`{}` matches less without it, and `!{0}` more", acl.name);
                Entry::new(place, &text, kind, Fate::Left(Effect::Neither))
                    .note(why)
                    .note(effect)
            })
            .collect();
        self.report.entries.extend(left);
        in_source_order(&mut self.report, path);
        (draft, self.report)
    }
}

/// Which of several names `ssl::server_name` takes.
fn is_name_option(text: &str) -> bool {
    ["--client-requested", "--server-provided", "--consensus"].contains(&text)
}

/// By file in the order in which files were met, then by line; what belongs to one line stays in
/// the order in which it was found.
fn in_source_order(report: &mut Report, first: &str) {
    let mut files: Vec<std::rc::Rc<str>> = vec![first.into()];
    for entry in &report.entries {
        if !files.contains(&entry.place.file) {
            files.push(std::rc::Rc::clone(&entry.place.file));
        }
    }
    let position = |place: &Place| {
        let file = files.iter().position(|file| *file == place.file);
        (file, place.line)
    };
    report.entries.sort_by_key(|entry| position(&entry.place));
}
