//! The threat model names tests: they are there.

use std::path::Path;

#[test]
fn the_tests_that_the_threat_model_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("src/docs/security.md")).unwrap();
    let mut named = 0;
    for name in page.split('`').skip(1).step_by(2) {
        let (file, exists) = match name.split("::").collect::<Vec<_>>()[..] {
            [ref modules @ .., test] if !modules.is_empty() && !modules[0].is_empty() => {
                // In a file, in a folder, or in a module within either.
                let paths = (1..=modules.len()).rev().map(|depth| modules[..depth].join("/"));
                let files = paths.flat_map(|path| [format!("{path}.rs"), format!("{path}/mod.rs")]);
                let is_there = |file: &String| root.join(file).exists();
                let file = files.map(|file| format!("tests/it/{file}")).find(is_there);
                (file.unwrap_or_default(), format!("fn {test}("))
            }
            [file] if file.ends_with(".json") => {
                (format!("tests/conformance/{file}"), "\"ids\"".into())
            }
            [file] if file.contains('/') && file.ends_with(".rs") => (file.into(), String::new()),
            _ => continue,
        };
        let source = std::fs::read_to_string(root.join(&file));
        assert!(source.is_ok_and(|source| source.contains(&exists)), "{name}: not in {file}");
        named += 1;
    }
    assert!(named > 40, "only {named} tests are named");
}
