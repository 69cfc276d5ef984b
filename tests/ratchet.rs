//! Files and functions stay readable: 500 lines a file, 60 a function, tests apart.
//!
//! What is over a limit is listed here with its size, and may only shrink.

use std::fs;
use std::path::{Path, PathBuf};

/// Files that are longer, as (path, lines).
const LONG_FILES: &[(&str, usize)] = &[];
/// Functions that are longer, as (path, name, lines).
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

const FILE_LIMIT: usize = 500;
const FUNCTION_LIMIT: usize = 60;

#[test]
fn files_stay_short() {
    let over: Vec<(String, usize)> = sources()
        .into_iter()
        .map(|(path, text)| (path, code_of(&text).lines().count()))
        .filter(|(path, lines)| {
            let known = LONG_FILES.iter().find(|(long, _)| long == path);
            *lines > known.map_or(FILE_LIMIT, |(_, lines)| *lines)
        })
        .collect();
    assert!(over.is_empty(), "too long: {over:?}");
}

#[test]
fn functions_stay_short() {
    let mut over = Vec::new();
    for (path, text) in sources() {
        for (name, lines) in functions(code_of(&text)) {
            let known =
                LONG_FUNCTIONS.iter().find(|(file, long, _)| *file == path && *long == name);
            if lines > known.map_or(FUNCTION_LIMIT, |(_, _, lines)| *lines) {
                over.push((path.clone(), name, lines));
            }
        }
    }
    assert!(over.is_empty(), "too long: {over:?}");
}

#[test]
fn a_long_function_is_seen() {
    let body = "        let x = 1;\n".repeat(FUNCTION_LIMIT);
    let text = format!("impl A {{\n    fn long() {{\n{body}    }}\n    fn short() {{}}\n}}\n");
    assert_eq!(functions(&text), [("long".to_owned(), FUNCTION_LIMIT + 2)]);
}

/// The library's and the simulator's sources, by path.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "sim/src"] {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 40, "the sources were not found: {}", files.len());
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file can be read");
            let relative = path.strip_prefix(root).expect("it lies below the root");
            (relative.display().to_string(), text)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder can be listed") {
        let path = entry.expect("a source folder can be listed").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// A file without its tests, which stand at its end.
fn code_of(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// The functions of more than one line, as rustfmt lays them out: from the line of `fn` to the
/// closing brace with the same indentation.
fn functions(code: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = &line[..line.len() - trimmed.len()];
        let declaration = trimmed.split("fn ").next().unwrap_or_default();
        let is_function = trimmed.contains("fn ")
            && declaration.split_whitespace().all(|word| {
                word.starts_with("pub") || ["const", "unsafe", "async"].contains(&word)
            });
        if !is_function {
            continue;
        }
        let name = trimmed[declaration.len() + 3..]
            .split(['(', '<'])
            .next()
            .unwrap_or_default()
            .to_owned();
        // A declaration without a body ends in a semicolon, a body of one line in a brace.
        let head = lines[start..].iter().find(|line| line.ends_with(['{', ';', '}']));
        let closing = format!("{indent}}}");
        let end = lines[start..].iter().position(|line| *line == closing);
        if let (Some(true), Some(end)) = (head.map(|line| line.ends_with('{')), end) {
            found.push((name, end + 1));
        }
    }
    found
}
