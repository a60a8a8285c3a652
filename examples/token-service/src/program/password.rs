//! Reads a new password: from a prompt that does not show it, or from standard input.

use std::io::{self, IsTerminal, Read};

use super::failure::Failure;

/// The longest password, as at the token endpoint.
const MAX_BYTES: usize = 1024;

/// Reads a password. A script writes it to standard input, as one line or without a line break.
pub(super) fn read() -> Result<String, Failure> {
    let password = if io::stdin().is_terminal() { from_prompt()? } else { from_input()? };
    check(&password)?;
    Ok(password)
}

fn from_prompt() -> Result<String, Failure> {
    let ask = |prompt| {
        rpassword::prompt_password(prompt)
            .map_err(|error| Failure::bad(format!("the password cannot be read: {error}")))
    };
    let password = ask("New password: ")?;
    if password != ask("The same again: ")? {
        return Err(Failure::refused("the two passwords differ"));
    }
    Ok(password)
}

fn from_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // A little more than allowed, to tell a password that is too long.
    io::stdin()
        .take(MAX_BYTES as u64 + 3)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::bad(format!("the password cannot be read: {error}")))?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    check_length(line)?;
    String::from_utf8(line.to_vec()).map_err(|_| Failure::refused("the password is not UTF-8"))
}

fn check_length(password: &[u8]) -> Result<(), Failure> {
    if password.is_empty() {
        return Err(Failure::refused("the password is empty"));
    }
    if password.len() > MAX_BYTES {
        return Err(Failure::refused(format!("the password has more than {MAX_BYTES} bytes")));
    }
    Ok(())
}

fn check(password: &str) -> Result<(), Failure> {
    check_length(password.as_bytes())?;
    if password.contains(char::is_control) {
        return Err(Failure::refused("the password has a line break or another control character"));
    }
    Ok(())
}
