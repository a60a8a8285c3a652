//! What a client calls itself, for a page.

/// The most characters that are shown.
const MAX_SHOWN: usize = 60;

/// The name without anything but letters, digits, spaces and some punctuation: no control characters, none that change the
/// direction of the text or that cannot be seen, and no quotes. `None` if nothing is left.
pub(super) fn harmless(name: &str) -> Option<String> {
    let is_shown = |c: char| {
        let is_filler = matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
        (c.is_alphanumeric() && !is_filler) || "-_.,:&+()/!'@# ".contains(c)
    };
    let kept: String = name
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| is_shown(*c))
        .collect();
    let kept = kept.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if !kept.contains(char::is_alphanumeric) {
        return None;
    }
    if kept.chars().count() <= MAX_SHOWN {
        return Some(kept);
    }
    let start: String = kept.chars().take(MAX_SHOWN - 1).collect();
    Some(format!("{}…", start.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_letters_and_some_punctuation() {
        for (name, shown) in [
            ("My app 2.0 (beta)", "My app 2.0 (beta)"),
            ("B\u{fc}cher & S\u{f6}hne", "B\u{fc}cher & S\u{f6}hne"),
            (
                "\u{5d0}\u{5d1} \u{4e2d}\u{6587} \u{939}\u{93f}\u{902}",
                "\u{5d0}\u{5d1} \u{4e2d}\u{6587} \u{939}\u{93f}\u{902}",
            ),
            ("  a \t\r\n b\u{a0}c ", "a b c"),
            ("a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\u{ad}f\u{0}g\u{7f}h", "abcdefgh"),
            ("<script>alert(\"1\")</script>", "scriptalert(1)/script"),
            ("\u{201c}Bank\u{201d} \u{2014} \u{1f512}secure", "Bank secure"),
            ("a\u{3164}b\u{e0041}", "ab"),
        ] {
            assert_eq!(harmless(name).as_deref(), Some(shown), "{name:?}");
        }
        for nothing in ["", " ", "\u{202e}", "...", "\u{3164}", "\u{1f512}"] {
            assert_eq!(harmless(nothing), None, "{nothing:?}");
        }
        let long = harmless(&"ab ".repeat(1000)).unwrap();
        assert!(long.chars().count() <= MAX_SHOWN && long.ends_with('…'), "{long}");
        assert_eq!(harmless(&"a".repeat(MAX_SHOWN)).unwrap().len(), MAX_SHOWN);
    }
}
