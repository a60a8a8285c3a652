//! Properties of the normal form of a URI.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::dpop::uri::{has_dot_segment, normal};

/// A segment of unreserved characters that is not a dot segment.
fn segment() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9~_-][a-zA-Z0-9._~-]{0,8}"
}

/// How one character of a path is written, by number.
fn spelled(c: char, how: u8) -> String {
    match how % 4 {
        0 => format!("%{:02x}", c as u32),
        1 => format!("%{:02X}", c as u32),
        _ => c.to_string(),
    }
}

fn in_case(text: &str, upper: &[bool]) -> String {
    let each = text.chars().zip(upper.iter().cycle());
    each.map(|(c, upper)| if *upper { c.to_ascii_uppercase() } else { c }).collect()
}

proptest! {
    #[test]
    fn every_spelling_of_a_uri_has_the_same_normal_form(
        segments in vec(segment(), 1..5),
        hows in vec(any::<u8>(), 1..40),
        upper in vec(any::<bool>(), 1..20),
        extra in vec(select(vec!["", "/.", "/%2e", "/x/..", "/x/%2E%2e", "/x/y/../.."]), 5),
        port in select(vec!["", ":", ":443", ":0443"]),
        end in select(vec!["", "?", "?a=/../b", "#f", "?q#f"]),
    ) {
        let plain = format!("https://api.example/{}", segments.join("/"));
        let mut hows = hows.iter().cycle();
        let path: String = segments.iter().zip(&extra).map(|(segment, extra)| {
            let spelled = segment.chars().map(|c| spelled(c, *hows.next().unwrap()));
            format!("{extra}/{}", spelled.collect::<String>())
        }).collect();
        let other = format!("{}{port}{path}{end}", in_case("https://api.example", &upper));
        prop_assert_eq!(normal(&other), Some(plain.clone()), "{}", other);
        prop_assert_eq!(normal(&plain), Some(plain));
    }

    #[test]
    fn different_paths_have_different_normal_forms(
        one in vec(segment(), 0..4),
        other in vec(segment(), 0..4),
    ) {
        let uri = |segments: &[String]| format!("https://api.example/{}", segments.join("/"));
        prop_assert_eq!(normal(&uri(&one)) == normal(&uri(&other)), one == other);
    }

    #[test]
    fn normal_form_of_any_text_is_its_own_normal_form(text in "(https?://)?[ -~]{0,40}") {
        if let Some(normalised) = normal(&text) {
            prop_assert!(!normalised.contains(['?', '#', '\\', ' ']));
            let mut parts = normalised.splitn(4, '/').skip(2);
            let (authority, path) = (parts.next().unwrap(), parts.next().unwrap());
            prop_assert!(!authority.is_empty() && !authority.contains('@'), "{}", normalised);
            prop_assert!(!has_dot_segment(path), "{}", normalised);
            prop_assert_eq!(normal(&normalised), Some(normalised));
        }
    }
}
