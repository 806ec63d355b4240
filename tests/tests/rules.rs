//! The table of the bureau's rules names tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every function of the repository's Rust and Kotlin sources.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped =
            ["target", "node_modules", "installed", ".git"].iter().any(|one| name == *one);
        if path.is_dir() && !skipped {
            functions(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "kt") {
            let text = fs::read_to_string(&path).expect("source text");
            let names = text.split("fn ").skip(1).chain(text.split("fun `").skip(1));
            let ends = |c: char| !(c.is_alphanumeric() || c == '_');
            found.extend(names.filter_map(|rest| rest.split(ends).next()).map(str::to_owned));
        }
    }
}

/// The tests that each row of a table ends with.
fn named(table: &str) -> Vec<&str> {
    let rows = table.lines().filter(|line| line.starts_with('|'));
    let last = rows.filter_map(|row| row.trim_end_matches(" |").rsplit("| ").next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_test_that_the_table_of_rules_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let table = fs::read_to_string(root.join("RULES.md")).expect("RULES.md");
    let named = named(&table);
    assert!(named.len() >= 20, "the table was not read: {named:?}");
    let mut found = BTreeSet::new();
    functions(root, &mut found);
    let missing: Vec<_> = named.iter().filter(|name| !found.contains(**name)).collect();
    assert!(missing.is_empty(), "RULES.md names tests that are not there: {missing:?}");
}
