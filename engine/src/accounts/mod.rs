//! `sallyport user`, `sallyport token` and `sallyport hash`: the files that listeners authenticate clients
//! by. Secrets come from standard input or a terminal, never from the command line, which others can see.

mod arguments;
mod error;
mod file;
mod secret_input;
mod tokens;
mod users;

pub(crate) use arguments::{HashCommand, TokenCommand, UserCommand};

#[cfg(test)]
mod tests;
