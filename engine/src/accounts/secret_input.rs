//! Reading a password: from a terminal without showing it, twice, or else the first line that comes in.

use std::io::{self, BufRead, IsTerminal, Write};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use sallyport_identity::Secret;

use super::error::AccountError;

/// Longest password that is read.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// A password that is not empty.
pub(super) fn read_password() -> Result<Secret, AccountError> {
    let password = if io::stdin().is_terminal() {
        let first = ask("Password: ").map_err(AccountError::Input)?;
        let second = ask("Again: ").map_err(AccountError::Input)?;
        if first != second {
            return Err(AccountError::Differ);
        }
        first
    } else {
        line().map_err(AccountError::Input)?
    };
    match password.expose().is_empty() {
        true => Err(AccountError::Empty),
        false => Ok(password),
    }
}

/// A terminal that shows what is typed again when this is dropped.
struct Hidden(Termios);

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}

fn ask(what: &str) -> io::Result<Secret> {
    let before = tcgetattr(io::stdin())?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
    let hidden = Hidden(before);
    write!(io::stderr(), "{what}")?;
    let typed = line();
    drop(hidden);
    writeln!(io::stderr())?;
    typed
}

fn line() -> io::Result<Secret> {
    let mut text = String::new();
    let mut input = io::stdin().lock();
    io::Read::take(&mut input, PASSWORD_BYTES_MAX).read_line(&mut text)?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(Secret::new(text))
}
