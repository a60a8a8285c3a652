//! Rows of input and expected answer, in `tests/conformance/*.json`; their format stands in the
//! README there.

mod keys;
mod row;
mod run;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use self::row::Row;

#[test]
fn every_row_has_its_answer() {
    let (mut passed, mut failed) = (Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    for (file, row) in rows() {
        assert!(!row.ids.is_empty(), "{file}: {}: no ids", row.name);
        for case in row.cases() {
            let name = case.name();
            assert!(names.insert((file.clone(), name.clone())), "{file}: {name}: stands twice");
            match run::run(&case) {
                Ok(()) => passed.push(json!({"ids": row.ids, "name": name, "file": file})),
                Err(fault) => failed.push(format!("{file}: {name}: {fault}")),
            }
        }
    }
    write_passed(&Value::from(passed));
    assert!(failed.is_empty(), "{} rows failed:\n{}", failed.len(), failed.join("\n"));
}

fn rows() -> Vec<(String, Row)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut rows = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let of_file: Vec<Row> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        rows.extend(of_file.into_iter().map(|row| (name.to_owned(), row)));
    }
    assert!(!rows.is_empty(), "no rows at all");
    rows
}

/// For the script that writes down which requirements were covered by what ran and passed.
fn write_passed(passed: &Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("conformance.json"), format!("{passed:#}\n")).unwrap();
}
