//! The Swift package, as far as it can be checked without a Swift compiler: its syntax. Generated
//! bindings are looked at too where `mobile-ffi/swift/generate` has run.

use std::fs;
use std::path::{Path, PathBuf};

use tree_sitter::{Node, Parser};

#[test]
fn every_swift_file_parses() {
    let mut files = Vec::new();
    swift_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("swift"), &mut files);
    assert!(files.len() >= 10, "{files:?}");
    let faults: Vec<String> = files.iter().flat_map(|file| faults(file)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_file_that_is_not_swift_is_found_out() {
    assert_eq!(faults_in("func f() -> Int { 1 }").len(), 0);
    assert_ne!(faults_in("func f( -> Int { 1 }").len(), 0);
    assert_ne!(faults_in("struct S { let a: Int ").len(), 0);
}

fn swift_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with(".build") {
            swift_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "swift") {
            found.push(path);
        }
    }
}

fn faults(file: &Path) -> Vec<String> {
    let faults = faults_in(&fs::read_to_string(file).expect("text"));
    faults.into_iter().map(|fault| format!("{}:{fault}", file.display())).collect()
}

/// Lines that the grammar does not take. Two things that it does not know and the generator writes
/// are left out: an attribute alone between `#if` and `#endif`, and an empty tuple in braces.
fn faults_in(source: &str) -> Vec<String> {
    let source =
        source.replace("@_documentation(visibility: private)", "").replace("{ () }", "{ }");
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_swift::LANGUAGE.into()).expect("a grammar that fits");
    let tree = parser.parse(&source, None).expect("a tree");
    let mut faults = Vec::new();
    collect(tree.root_node(), &source, &mut faults);
    faults
}

fn collect(node: Node<'_>, source: &str, faults: &mut Vec<String>) {
    if node.is_error() || node.is_missing() {
        let row = node.start_position().row;
        faults.push(format!("{}: {}", row + 1, source.lines().nth(row).unwrap_or("")));
    } else if node.has_error() {
        node.children(&mut node.walk()).for_each(|child| collect(child, source, faults));
    }
}
