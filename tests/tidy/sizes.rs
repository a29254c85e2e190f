//! Files and functions that can be read in one go.

use crate::facts::{self, Kind};
use crate::tree::{Offence, Source, none, rust};

const FILE_MEDIAN: usize = 180;
const FILE_P90: usize = 400;
const FILE_MAX: usize = 600;
const FUNCTION_P90: usize = 25;
const FUNCTION_MAX: usize = 70;
/// Tests have tables of cases, which are data and read as such.
const TEST_FUNCTION_MAX: usize = 130;

/// The value below which this part of the values lies.
fn percentile(values: &mut [usize], part: usize) -> usize {
    values.sort_unstable();
    values.get((values.len() * part / 100).min(values.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn too_long(file: &Source) -> Vec<Offence> {
    let lines = file.text.lines().count();
    let whole = (lines > FILE_MAX).then(|| file.offence(1, format!("{lines} lines; at most {FILE_MAX}")));
    let most = if file.path.contains("/tests/") { TEST_FUNCTION_MAX } else { FUNCTION_MAX };
    let functions = facts::of(file).into_iter().filter_map(|fact| match fact.kind {
        Kind::Function(lines) if lines > most => {
            Some(file.offence(fact.line, format!("`{}` has {lines} lines; at most {most}", fact.text)))
        }
        _ => None,
    });
    whole.into_iter().chain(functions).collect()
}

fn function_lines(files: &[Source]) -> Vec<usize> {
    let lines = |kind| if let Kind::Function(lines) = kind { Some(lines) } else { None };
    files.iter().flat_map(facts::of).filter_map(|fact| lines(fact.kind)).collect()
}

#[test]
fn files_and_functions_stay_short() {
    let files = rust();
    let mut lines: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
    let (median, p90) = (percentile(&mut lines, 50), percentile(&mut lines, 90));
    let mut functions = function_lines(&files);
    let (middle, long) = (percentile(&mut functions, 50), percentile(&mut functions, 90));
    println!("figure: {} files, median {median}, p90 {p90}, max {:?}", lines.len(), lines.last());
    println!("figure: {} functions, median {middle}, p90 {long}, max {:?}", functions.len(), functions.last());
    none(files.iter().flat_map(too_long).collect());
    assert!(median <= FILE_MEDIAN && p90 <= FILE_P90, "files: median {median}, p90 {p90}");
    assert!(long <= FUNCTION_P90, "functions: p90 {long}");
}

#[test]
fn long_files_and_functions_are_found() {
    let file = Source::sample("x.rs", &"// a line\n".repeat(601));
    assert_eq!(too_long(&file).len(), 1);
    let file = Source::sample(
        "x.rs",
        &format!("struct A;\nimpl A {{\n/// Docs do not count.\nfn f() {{\n{}}}\n}}\n", "let _ = 1;\n".repeat(69)),
    );
    assert_eq!(too_long(&file)[0].to_string(), "x.rs:4: `f` has 71 lines; at most 70");
    assert_eq!(percentile(&mut [9, 1, 5, 3, 7, 2, 8, 4, 6, 10], 90), 10);
    assert_eq!(percentile(&mut [3, 1, 2], 50), 2);
}
