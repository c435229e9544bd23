use std::fs;
use std::path::Path;

/// All source of the workspace, one file after the other.
fn source(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            source(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_page_on_pitfalls_names_is_there() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(workspace.join("docs/internals/pitfalls.md")).unwrap();
    let mut all = String::new();
    source(workspace, &mut all);
    let quoted = page.split('`').skip(1).step_by(2);
    let is_name = |text: &&str| {
        let of_name =
            |letter: char| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit();
        text.matches('_').count() >= 2 && text.chars().all(of_name)
    };
    let names: Vec<&str> = quoted.filter(is_name).collect();
    assert!(names.len() > 60, "{} names", names.len());
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !all.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
