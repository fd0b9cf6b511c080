//! The command: what each format takes, and what is said of an import.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::auto::{self, AutoArgs};
use super::lists::ListFormat;
use crate::cli::{CliError, Status, Terminal};
use crate::diagnostic::counted;
use crate::import::aws::{self, AwsOptions};
use crate::import::hosts::{self, HostsOptions};
use crate::import::input::{DiskInput, InputFiles};
use crate::import::recognise::likenesses;
use crate::import::report::Report;
use crate::import::squid::{self, SquidOptions};
use crate::import::suricata::{self, SuricataOptions};
use crate::import::{DefaultAction, Import, ImportError, aws_domain_list, write_folder};
use crate::source::DiskFiles;
use crate::tools::table;

/// More lines than this are not shown on the terminal but in the folder's report.
const SHOWN_ENTRIES_MAX: usize = 200;

/// Where rules come from.
#[derive(Debug, Subcommand)]
pub enum Format {
    /// The JSON of the AWS Network Firewall Proxy preview, to TOML
    Aws(AwsArgs),
    /// A Squid configuration: acl, http_access and http_reply_access lines
    Squid(SquidArgs),
    /// Rules in Suricata's language, as AWS Network Firewall takes them: a file, or a rule group's JSON
    Suricata(SuricataArgs),
    /// A domain list of AWS Network Firewall: the JSON of a rule group with a RulesSourceList
    AwsDomainList(ImportArgs),
    /// A hosts file, a list of domains, or a filter list of an ad blocker
    Hosts(HostsArgs),
    /// Lists and policies of other products.
    #[command(flatten)]
    Lists(ListFormat),
    /// A file of any of these kinds: it is recognised, and told what it was taken for
    Auto(AutoArgs),
}

/// What all imports take.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// The file to import
    pub(super) source: PathBuf,
    /// The folder for the ruleset and the report; it must not exist, or be empty
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Replace an earlier import in that folder
    #[arg(long)]
    force: bool,
    /// Exit with status 1 if anything was left, or just if the ruleset allows more than the source
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "left")]
    strict: Option<Strict>,
    /// The report for programs
    #[arg(long)]
    json: bool,
}

/// What `--strict` does not put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Strict {
    /// Anything that was left
    Left,
    /// A line because of which the ruleset allows what the source refused
    AllowsMore,
}

impl Strict {
    fn is_satisfied(self, report: &Report) -> bool {
        match self {
            Self::Left => report.count("left") == 0,
            Self::AllowsMore => report.allows_more_count() == 0,
        }
    }
}

/// A proxy configuration or a rule group to import.
#[derive(Debug, Args)]
pub struct AwsArgs {
    #[command(flatten)]
    common: ImportArgs,
    /// StringEquals ".example.com" over a domain means the names under example.com
    #[arg(long)]
    aws_suffix_equals: bool,
    /// What a rule group alone does not say: what happens where no rule of it decides [default: deny]
    #[arg(long, value_enum)]
    default: Option<DefaultAction>,
}

impl AwsArgs {
    /// Of a file that was recognised.
    pub(super) const fn recognised(common: ImportArgs) -> Self {
        Self {
            common,
            aws_suffix_equals: false,
            default: None,
        }
    }
}

/// A Squid configuration to import.
#[derive(Debug, Args)]
pub struct SquidArgs {
    #[command(flatten)]
    common: ImportArgs,
    /// The time zone of the machine that Squid ran on [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Requests inside decrypted tunnels are judged too, as with `ssl_bump`
    #[arg(long)]
    decrypt: bool,
    /// The file of the authority that signs for names that are intercepted, for sallyport.toml
    #[arg(long, value_name = "PEM")]
    ca: Option<String>,
    /// Where absolute paths in the configuration are looked for
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

impl SquidArgs {
    /// Of a file that was recognised.
    pub(super) const fn recognised(common: ImportArgs, root: Option<PathBuf>) -> Self {
        Self {
            common,
            zone: None,
            decrypt: false,
            ca: None,
            root,
        }
    }
}

/// Suricata rules to import.
#[derive(Debug, Args)]
pub struct SuricataArgs {
    #[command(flatten)]
    common: ImportArgs,
    /// Which rule is asked first [default: as the rule group says, else action]
    #[arg(long, value_enum)]
    order: Option<suricata::Order>,
    /// What happens where no rule decides [default: allow by action, deny in strict order]
    #[arg(long, value_enum)]
    default: Option<suricata::Default>,
    /// A variable of the rules, without its `$`; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    var: Vec<(String, String)>,
    /// The firewall decrypts TLS: http rules are about requests inside it too
    #[arg(long)]
    tls_inspection: bool,
}

impl SuricataArgs {
    /// Of a file that was recognised.
    pub(super) const fn recognised(common: ImportArgs) -> Self {
        Self {
            common,
            order: None,
            default: None,
            var: Vec::new(),
            tls_inspection: false,
        }
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("expected NAME=VALUE")?;
    let name = name.trim_start_matches('$').to_owned();
    // A list may be given without its brackets.
    let is_list = value.contains(',') && !value.starts_with(['[', '!']);
    let value = if is_list {
        format!("[{value}]")
    } else {
        value.to_owned()
    };
    Ok((name, value))
}

/// A list of names to import.
#[derive(Debug, Args)]
pub struct HostsArgs {
    #[command(flatten)]
    common: ImportArgs,
    /// How the list is written [default: told from its lines]
    #[arg(long, value_enum)]
    format: Option<hosts::Format>,
    /// What becomes of the names
    #[arg(long, value_enum, default_value = "deny")]
    action: hosts::Action,
    /// Of a plain list: names under those on it are not meant
    #[arg(long)]
    exact: bool,
}

impl HostsArgs {
    /// Of a file that was recognised.
    pub(super) const fn recognised(common: ImportArgs, action: hosts::Action) -> Self {
        Self {
            common,
            format: None,
            action,
            exact: false,
        }
    }
}

/// Imports, writes the folder, and says what became of each line.
///
/// # Errors
/// When the source cannot be read, or the folder or the terminal cannot be written.
pub fn run(format: &Format, terminal: &mut Terminal<'_>) -> Result<Status, CliError> {
    let (format, told) = match format {
        Format::Auto(args) => {
            let (format, told) = auto::recognised(args, &text_of(&args.common)?)?;
            (&{ format }, Some(told))
        }
        format => (format, None),
    };
    let args = format.args();
    let mut import = format.import().map_err(|error| with_hint(error, format))?;
    if let Some(told) = told {
        import.report.remark(told);
    }
    write_folder(&args.out, &import.folder_files(), args.force)?;
    let said = if args.json {
        json(&import, &args.out)
    } else {
        text(&import, &args.out)
    };
    terminal.out.write_all(said.as_bytes())?;
    let report = &import.report;
    let is_good = args.strict.is_none_or(|strict| strict.is_satisfied(report));
    Ok(if is_good && report.is_complete() {
        Status::Good
    } else {
        Status::Problems
    })
}

/// An error about what is in the file, with what the file looks like.
fn with_hint(error: CliError, format: &Format) -> CliError {
    let said = match &error {
        CliError::Import(
            said @ (ImportError::Nothing { .. }
            | ImportError::AllowsEverything { .. }
            | ImportError::Malformed(_)),
        ) => said.to_string(),
        _ => return error,
    };
    let own = format!("`import {}", format.name());
    let found = text_of(format.args()).map_or(Vec::new(), |text| likenesses(&text));
    let mut kinds: Vec<&str> = found.iter().map(|one| one.what).collect();
    kinds.retain(|kind| !kind.contains(&own));
    // What says least is told only if nothing says more.
    if kinds.len() > 1 {
        kinds.retain(|kind| !kind.starts_with("YAML"));
    }
    match kinds.join(", or ") {
        kinds if !kinds.is_empty() => CliError::Import(ImportError::Malformed(format!(
            "{said}\nthe file looks like {kinds}"
        ))),
        _ => error,
    }
}

impl Format {
    /// What is written behind `import`.
    const fn name(&self) -> &'static str {
        match self {
            Self::Aws(_) => "aws",
            Self::Squid(_) => "squid",
            Self::Suricata(_) => "suricata",
            Self::AwsDomainList(_) => "aws-domain-list",
            Self::Hosts(_) => "hosts",
            Self::Lists(format) => format.name(),
            Self::Auto(_) => "auto",
        }
    }

    const fn args(&self) -> &ImportArgs {
        match self {
            Self::Aws(args) => &args.common,
            Self::Squid(args) => &args.common,
            Self::Suricata(args) => &args.common,
            Self::AwsDomainList(args) => args,
            Self::Hosts(args) => &args.common,
            Self::Lists(format) => format.args(),
            Self::Auto(args) => &args.common,
        }
    }

    fn import(&self) -> Result<Import, CliError> {
        let root = match self {
            Self::Squid(args) => args.root.as_deref(),
            Self::Lists(format) => format.root(),
            _ => None,
        };
        let (files, name) = input(self.args(), root)?;
        Ok(match self {
            Self::Aws(args) => {
                let (files, name) =
                    DiskFiles::beside(&args.common.source).map_err(CliError::Usage)?;
                let suffix_equals = args.aws_suffix_equals;
                let default = args.default;
                let options = AwsOptions {
                    suffix_equals,
                    default,
                };
                aws::import(&files, &name, options)?
            }
            Self::Squid(args) => {
                let zone = args.zone.clone();
                let decrypt = args.decrypt;
                let options = SquidOptions {
                    zone,
                    decrypt,
                    authority: args.ca.clone(),
                };
                squid::import(&files, &name, &options)?
            }
            Self::Suricata(args) => {
                let options = SuricataOptions {
                    order: args.order,
                    default: args.default,
                    variables: args.var.iter().cloned().collect(),
                    tls_inspection: args.tls_inspection,
                };
                suricata::import(&files, &name, &options)?
            }
            Self::AwsDomainList(_) => aws_domain_list::import(&files, &name)?,
            Self::Hosts(args) => {
                let options = HostsOptions {
                    format: args.format,
                    action: args.action,
                    exact: args.exact,
                };
                hosts::import(&files, &name, &options)?
            }
            Self::Lists(format) => format.import(&files, &name)?,
            Self::Auto(_) => return Err(CliError::Usage("a file is recognised once".to_owned())),
        })
    }
}

/// The text of the file that is imported.
fn text_of(args: &ImportArgs) -> Result<String, CliError> {
    let (files, name) = input(args, None)?;
    let text = files.text(&name);
    let unreadable = |why| ImportError::Unreadable { path: name, why };
    Ok(text.map_err(unreadable)?)
}

/// The files beside the one that is imported, and its own name.
fn input(args: &ImportArgs, root: Option<&Path>) -> Result<(DiskInput, String), CliError> {
    let source = &args.source;
    let name = source
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| CliError::Usage(format!("`{}` does not name a file", source.display())))?;
    let folder = source.parent().map_or_else(PathBuf::new, Path::to_owned);
    Ok((DiskInput::new(&folder, root), name.to_owned()))
}

fn text(import: &Import, out: &Path) -> String {
    let report = &import.report;
    let lines = if report.entries.len() <= SHOWN_ENTRIES_MAX {
        report.lines_text()
    } else {
        format!(
            "{} lines; each of them is in {}\n",
            report.entries.len(),
            out.join("import-report.txt").display()
        )
    };
    let title = format!(
        "{}: {} in {}, {} as a bundle; {} of the compiler",
        out.display(),
        counted(import.rules_count, "rule"),
        counted(import.files.len(), "file"),
        table::bytes(import.bundle_bytes),
        counted(import.warnings_count, "warning"),
    );
    format!(
        "{lines}\n{}\n{}{title}\n{}\n",
        report.kinds_text(),
        report.remarks_text(),
        report.summary()
    )
}

fn json(import: &Import, out: &Path) -> String {
    let mut value = import.report.json();
    if let Some(object) = value.as_object_mut() {
        let files: Vec<&str> = import.files.iter().map(|(path, _)| path.as_str()).collect();
        object.insert("folder".to_owned(), out.display().to_string().into());
        object.insert("files".to_owned(), files.into());
        object.insert("rules".to_owned(), import.rules_count.into());
        object.insert("warnings".to_owned(), import.warnings_count.into());
        object.insert("bundle_bytes".to_owned(), import.bundle_bytes.into());
    }
    format!("{value:#}\n")
}
