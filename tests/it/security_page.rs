//! The threat model names tests: they are there.

use std::path::Path;

#[test]
fn the_tests_that_the_threat_model_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("src/docs/security.md")).unwrap();
    let mut named = 0;
    for name in page.split('`').skip(1).step_by(2) {
        let (file, exists) = match name.split("::").collect::<Vec<_>>()[..] {
            [module, .., test] if !module.is_empty() => {
                (format!("tests/it/{module}.rs"), format!("fn {test}("))
            }
            [file] if file.ends_with(".json") => {
                (format!("tests/conformance/{file}"), "\"ids\"".into())
            }
            _ => continue,
        };
        let source = std::fs::read_to_string(root.join(&file)).unwrap_or_default();
        assert!(source.contains(&exists), "{name}: not in {file}");
        named += 1;
    }
    assert!(named > 40, "only {named} tests are named");
}
