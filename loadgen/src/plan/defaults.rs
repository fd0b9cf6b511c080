//! What holds where neither a file nor a flag says otherwise, as far as it differs by command; and the
//! words of `--help` about all of it, so that they cannot differ from what is done.

use std::time::Duration;

use clap::Command;

use super::file::PlanFile;
use super::period::Period;

/// Seed unless the plan says otherwise.
pub(crate) const SEED_DEFAULT: u64 = 1;
/// How long a request may take unless told.
pub(crate) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Method unless the plan says otherwise, and where it names a file to send.
pub(crate) const METHOD_DEFAULT: &str = "GET";
/// Status that is expected unless the plan says otherwise.
pub(crate) const STATUS_DEFAULT: u16 = 200;

/// What one command does unless told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) command: &'static str,
    pub(crate) connections: u32,
    /// Length of the window.
    pub(crate) duration: Duration,
}

impl Defaults {
    pub(crate) const RUN: Self = Self {
        command: "run",
        connections: 1,
        duration: Duration::from_secs(10),
    };
    pub(crate) const SEARCH: Self = Self {
        command: "search",
        connections: 64,
        duration: Duration::from_secs(5),
    };
    pub(crate) const CEILING: Self = Self {
        command: "ceiling",
        connections: 1,
        duration: Duration::from_secs(3),
    };

    /// Fills what is open. Something else may end the run instead of time.
    pub(crate) fn fill(self, file: &mut PlanFile) {
        file.connections.get_or_insert(self.connections);
        let arrivals = &file.arrivals;
        let has_end =
            file.requests.is_some() || !arrivals.steps.is_empty() || arrivals.recorded.is_some();
        if !has_end {
            file.duration.get_or_insert(Period(self.duration));
        }
    }
}

/// Adds to the help of each flag what holds without it.
pub(crate) fn told(command: Command) -> Command {
    let each = [Defaults::RUN, Defaults::SEARCH, Defaults::CEILING];
    each.into_iter().fold(command, |command, defaults| {
        command.mut_subcommand(defaults.command, |sub| told_by(sub, defaults))
    })
}

fn told_by(command: Command, defaults: Defaults) -> Command {
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    let words = [
        ("body_bytes", "0".to_owned()),
        ("connections", defaults.connections.to_string()),
        ("duration", seconds(defaults.duration)),
        ("expect_status", STATUS_DEFAULT.to_string()),
        ("http", "1.1".to_owned()),
        ("method", METHOD_DEFAULT.to_owned()),
        ("scenario", "requests".to_owned()),
        ("seed", SEED_DEFAULT.to_string()),
        ("streams", "1".to_owned()),
        ("threads", "1".to_owned()),
        ("timeout", seconds(TIMEOUT_DEFAULT)),
        ("warmup", "0s".to_owned()),
    ];
    words.into_iter().fold(command, |command, (flag, value)| {
        command.mut_arg(flag, |flag| {
            let about = flag.get_help().map(ToString::to_string);
            let about = about.unwrap_or_default();
            flag.help(format!("{about} [default: {value}]"))
        })
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::overlay;
    use super::super::run::Plan;
    use super::*;
    use crate::cli::Cli;

    /// What a command line makes of itself, in full.
    fn plan(defaults: Defaults, extra: &[&str]) -> String {
        let mut line = vec!["sallyport-load", defaults.command, "http://127.0.0.1:1/"];
        if defaults.command == "search" {
            line.extend(["--below", "1s"]);
        }
        line.extend(extra);
        let cli = Cli::read(line).unwrap();
        let (mut file, place) = overlay::plan_file(cli.command.plan().unwrap()).unwrap();
        defaults.fill(&mut file);
        format!("{:?}", Plan::new(&file, &place).unwrap())
    }

    #[test]
    fn what_help_calls_a_default_is_what_is_done() {
        let command = told(Cli::command());
        for defaults in [Defaults::RUN, Defaults::SEARCH, Defaults::CEILING] {
            let sub = command.find_subcommand(defaults.command).unwrap();
            let without = plan(defaults, &[]);
            let mut seen = 0;
            for flag in sub.get_arguments() {
                let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
                let Some((_, value)) = help.split_once("[default: ") else {
                    continue;
                };
                let value = value.trim_end_matches(']');
                let long = format!("--{}", flag.get_long().unwrap());
                assert_eq!(plan(defaults, &[&long, value]), without, "{long}");
                seen += 1;
            }
            assert_eq!(seen, 12, "{}", defaults.command);
            // The comparison can fail.
            assert_ne!(plan(defaults, &["--seed", "2"]), without);
        }
    }

    #[test]
    fn the_guide_names_the_same_defaults() {
        let guide = include_str!("../../../docs/loadgen.md");
        for (key, default) in [
            ("`connections`", "| 1; `search`: 64 |"),
            ("`duration`", "else 10s; `search` 5s; `ceiling` 3s;"),
            ("`timeout`", "| 10s |"),
            ("`seed`", "| 1 |"),
            ("`warmup`", "| 0s |"),
        ] {
            let row = guide
                .lines()
                .find(|line| line.starts_with(&format!("| {key} | ")))
                .unwrap();
            assert!(row.contains(default), "{row}");
        }
    }
}
