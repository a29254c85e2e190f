//! Every item of the world is documented and says since when it is there.

use crate::tree::{Offence, Source, all, check, none};

/// What a line declares, by its first words.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    /// An interface, a type or a function: wants documentation and a version.
    Named,
    /// A field or a case: wants documentation; its version is its owner's.
    Part,
    /// An import, an export, a `use`, the package: neither.
    Plain,
}

fn item(line: &str, depth: usize) -> Item {
    const WORDS: [&str; 9] = ["interface", "world", "record", "variant", "enum", "flags", "resource", "type", "union"];
    const PLAIN: [&str; 5] = ["package", "use", "import", "export", "include"];
    let first = line.split([' ', ':', '{', ';']).next().unwrap_or_default();
    if PLAIN.contains(&first) {
        return Item::Plain;
    }
    if WORDS.contains(&first) || line.contains(": func(") {
        return Item::Named;
    }
    if depth >= 2 { Item::Part } else { Item::Plain }
}

fn undocumented(file: &Source) -> Vec<Offence> {
    let (mut documented, mut dated, mut depth) = (false, false, 0_usize);
    let mut offences = Vec::new();
    for (at, line) in file.lines().map(|(at, line)| (at, line.trim())) {
        match line {
            "" | "}" => {}
            _ if line.starts_with("///") => {
                documented = line.len() > 4;
                continue;
            }
            _ if line.starts_with('@') => {
                dated = line.starts_with("@since(version = ");
                continue;
            }
            _ if line.starts_with("//") => continue,
            _ => {
                let item = item(line, depth);
                if item != Item::Plain && !documented {
                    offences.push(file.offence(at, format!("no documentation: {line}")));
                }
                if item == Item::Named && !dated {
                    offences.push(file.offence(at, format!("no @since: {line}")));
                }
            }
        }
        (documented, dated) = (false, false);
        depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
    }
    offences
}

#[test]
fn the_world_is_documented() {
    let files: Vec<Source> = all().into_iter().filter(|file| file.path.ends_with(".wit")).collect();
    assert!(files.len() > 10, "{}", files.len());
    none(check(&files, undocumented));
}

#[test]
fn what_is_not_documented_is_found() {
    let text = "package a:b@0.1.0;\n\n/// Docs.\n@since(version = 0.1.0)\ninterface i {\n  use t.{x};\n  record r {\n    \
                /// Docs.\n    a: u8,\n    b: u8,\n  }\n  /// Docs.\n  f: func(a: u8);\n  /// Docs.\n  \
                @since(version = 0.1.0)\n  enum e {\n    one,\n  }\n}\n";
    let found: Vec<String> = undocumented(&Source::sample("a.wit", text)).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "a.wit:7: no documentation: record r {",
            "a.wit:7: no @since: record r {",
            "a.wit:10: no documentation: b: u8,",
            "a.wit:13: no @since: f: func(a: u8);",
            "a.wit:17: no documentation: one,",
        ]
    );
}
