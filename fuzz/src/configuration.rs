//! The configuration file: whatever is written, every problem is told with its place, and what is taken is
//! taken alike each time.

use std::io;
use std::path::Path;

use sallyport::config::{Config, Environment, Overrides};

/// The text, and behind a zero byte what every file holds that it names.
pub fn configuration(data: &[u8]) {
    let (text, named) = match data.iter().position(|&byte| byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &b""[..]),
    };
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let read = |_: &Path| match named {
        b"" => Err(io::Error::from(io::ErrorKind::NotFound)),
        named => Ok(named.to_vec()),
    };
    let environment = Environment {
        file: Path::new("/etc/sallyport/sallyport.toml"),
        overrides: &Overrides::default(),
        cores: 2,
        read: &read,
    };
    let first = Config::parse(text, &environment);
    assert_eq!(
        first,
        Config::parse(text, &environment),
        "same text, other configuration"
    );
    let errors = match first {
        Ok(config) => return check(&config),
        Err(errors) => errors,
    };
    assert!(!errors.problems.is_empty(), "refused without a reason");
    let lines = text.lines().count().max(1);
    for problem in &errors.problems {
        assert!(!problem.message.is_empty());
        let shown = problem.to_string();
        assert!(
            shown
                .chars()
                .all(|shown| "\n\t".contains(shown) || !shown.is_control()),
            "{shown:?} can write to a terminal"
        );
        if let Some(place) = &problem.place {
            // The end of a text that ends in a line feed is a line of its own.
            assert!((1..=lines + 1).contains(&place.line), "{shown}");
            assert!(
                place.column >= 1 && !place.excerpt.underline().is_empty(),
                "{shown}"
            );
        }
    }
}

/// What the engine takes for granted of a configuration that was checked.
fn check(config: &Config) {
    assert!(config.shards >= 1);
    assert!(!config.listeners.is_empty());
    assert!(config.hosts.values().all(|addresses| !addresses.is_empty()));
    assert!(!config.id.is_empty());
}
