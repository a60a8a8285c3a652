//! The error of a format, without the contents of the file.

use std::fmt;

/// The error of a format as text: its place in the file, the fault, and what was expected. Its `Debug` form could contain
/// the whole file, and its text the line of the fault and the value there.
pub(super) struct FormatError(String);

impl FormatError {
    /// `toml` prints the place, then lines of the file, then the fault. Other formats print one line.
    pub(super) fn new(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let first = without_value(lines.next().unwrap_or_default());
        match lines.next_back() {
            Some(last) => Self(format!("{first}: {}", without_value(last))),
            None => Self(first),
        }
    }
}

/// `serde` writes `invalid type: string "…", expected a number`. The kind of the value is kept.
fn without_value(line: &str) -> String {
    for fault in ["invalid type: ", "invalid value: "] {
        if let Some((before, found)) = line.split_once(fault) {
            // A value can contain the second text too, so the last one counts.
            let (found, expected) = found.rsplit_once(", expected ").unwrap_or((found, ""));
            let kind = found.split(['"', '`', '\'']).next().unwrap_or_default().trim_end();
            let expected = match expected {
                "" => String::new(),
                expected => format!(", expected {expected}"),
            };
            return format!("{before}{fault}{kind}{expected}");
        }
    }
    line.to_owned()
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for FormatError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_and_lines_of_the_file_are_left_out() {
        for (text, expected) in [
            (
                "TOML parse error at line 1, column 9\n  |\n1 | realm = \"hunter2\"\n  |         ^^^\nunknown field `a`\n",
                "TOML parse error at line 1, column 9: unknown field `a`",
            ),
            (
                "invalid type: string \"hunter2\", expected a table at line 1 column 2",
                "invalid type: string, expected a table at line 1 column 2",
            ),
            (
                "invalid value: string \"a, expected \\\"hunter2\", expected true or false",
                "invalid value: string, expected true or false",
            ),
            (
                "invalid type: integer `4711`, expected a table",
                "invalid type: integer, expected a table",
            ),
            ("invalid type: null", "invalid type: null"),
            ("missing field `realm`", "missing field `realm`"),
            ("", ""),
        ] {
            assert_eq!(FormatError::new(text).to_string(), expected);
        }
    }
}
