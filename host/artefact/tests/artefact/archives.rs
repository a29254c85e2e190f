//! N07: archives that must not be unpacked, made by hand.

use std::path::Path;

use crate::registry::{gzip, listing, program};
use llm_provider_artefact::Limits;
use llm_provider_artefact::unpack::{Layout, UnpackProblem, unpack};
use tar::{EntryType, Header};

/// A tar stream under construction, without the checks of a well-meaning writer.
#[derive(Default, Clone)]
struct Tar(Vec<u8>);

impl Tar {
    /// One entry whose header says what it is told; the data need not fit.
    fn entry(mut self, name: &[u8], kind: EntryType, announced: u64, data: &[u8], link: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(announced);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str) -> Self {
        self.entry(name.as_bytes(), EntryType::Regular, 1, b"x", b"")
    }

    fn of_kind(self, kind: u8, link: &str) -> Self {
        self.entry(b"package/entry", EntryType::new(kind), 0, b"", link.as_bytes())
    }

    fn pax(self, key: &str, value: &str) -> Self {
        let body = format!(" {key}={value}\n");
        let length = (body.len()..).find(|length| length.to_string().len() + body.len() == *length).unwrap();
        let record = format!("{length}{body}");
        self.entry(b"pax", EntryType::XHeader, record.len() as u64, record.as_bytes(), b"")
    }

    fn long(self, kind: EntryType, name: &str) -> Self {
        let data = format!("{name}\0");
        self.entry(b"././@LongLink", kind, data.len() as u64, data.as_bytes(), b"")
    }

    fn done(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        gzip(&self.0)
    }
}

fn tar() -> Tar {
    Tar::default()
}

fn limits() -> Limits {
    Limits { unpacked_bytes: 4 << 20, file_bytes: 1 << 20, entries: 50, ..Limits::default() }
}

/// Unpacks into `<dir>/tree`, so that a way out would be seen in `<dir>`.
fn try_unpack(archive: &[u8], dir: &Path) -> Result<usize, UnpackProblem> {
    let (file, tree) = (dir.join("archive.tgz"), dir.join("tree"));
    std::fs::write(&file, archive).unwrap();
    std::fs::create_dir(&tree).unwrap();
    unpack(&file, &tree, Layout::Package, "package/copilot", &limits(), &|| false).map(|files| files.len())
}

type Is = fn(&UnpackProblem) -> bool;

fn corpus() -> Vec<(&'static str, Vec<u8>, Is)> {
    let name: Is = |p| matches!(p, UnpackProblem::Name { .. });
    let kind: Is = |p| matches!(p, UnpackProblem::Kind { .. });
    let twice: Is = |p| matches!(p, UnpackProblem::Duplicate { .. });
    let damaged: Is = |p| matches!(p, UnpackProblem::Malformed { .. });
    let mut all: Vec<(&'static str, Vec<u8>, Is)> = Vec::new();
    for bad in [
        "../escape",
        "package/../../escape",
        "package/../escape",
        "/tmp/escape",
        "//tmp/escape",
        "package//x",
        "package/./x",
        "package/x/..",
        "..",
        ".",
        "package",
        "escape",
        "packagex/y",
        "package\\..\\escape",
        "package/..\\escape",
        "C:/escape",
        "package/C:x",
        "package/x:stream",
        "package/NUL",
        "package/aux.txt",
        "package/x.",
        "package/x ",
        "package/a\nb",
        "package/a\u{1b}[2Jb",
        "~/escape ",
        "./../escape",
    ] {
        all.push((bad, tar().file(bad).done(), name));
    }
    all.push(("not UTF-8", tar().entry(b"package/\xff\xfe", EntryType::Regular, 1, b"x", b"").done(), name));
    all.push(("symbolic link", tar().of_kind(b'2', "/etc/passwd").done(), kind));
    all.push(("link, then through it", tar().of_kind(b'2', "/tmp").file("package/entry/escape").done(), kind));
    all.push(("hard link", tar().of_kind(b'1', "/etc/passwd").done(), kind));
    all.push(("hard link to a sibling", tar().file("package/a").of_kind(b'1', "package/a").done(), kind));
    for (what, byte) in [("character device", b'3'), ("block device", b'4'), ("pipe", b'6'), ("contiguous", b'7')] {
        all.push((what, tar().of_kind(byte, "").done(), kind));
    }
    all.push(("sparse", tar().of_kind(b'S', "").done(), kind));
    all.push(("unknown", tar().of_kind(b'Z', "").done(), kind));
    all.push(("long link name", tar().long(EntryType::GNULongLink, "/etc/passwd").of_kind(b'2', "x").done(), kind));
    all.push(("PAX sparse", tar().pax("GNU.sparse.major", "1").file("package/x").done(), kind));
    all.push(("PAX size", tar().pax("size", "99999999999").file("package/x").done(), |p| {
        matches!(p, UnpackProblem::PaxSize)
    }));
    all.push(("PAX path", tar().pax("path", "../escape").file("package/x").done(), name));
    all.push(("PAX absolute path", tar().pax("path", "/tmp/escape").file("package/x").done(), name));
    all.push((
        "GNU long name",
        tar().long(EntryType::GNULongName, "package/../../escape").file("package/x").done(),
        name,
    ));
    all.push((
        "GNU long name over PAX",
        tar().pax("path", "package/ok").long(EntryType::GNULongName, "../e").file("package/x").done(),
        name,
    ));
    all.push((
        "long name, no entry",
        tar().file("package/x").long(EntryType::GNULongName, "package/y").done(),
        damaged,
    ));
    let endless = tar().entry(b"pax", EntryType::XHeader, 1 << 40, b"", b"");
    all.push(("PAX of a terabyte", endless.done(), |p| matches!(p, UnpackProblem::LongExtension { .. })));
    let endless = tar().entry(b"g", EntryType::XGlobalHeader, 1 << 20, &vec![b'1'; 1 << 20], b"");
    all.push(("global PAX of a megabyte", endless.done(), |p| matches!(p, UnpackProblem::LongExtension { .. })));
    all.push(("bad PAX", tar().entry(b"x", EntryType::XHeader, 5, b"xxxxx", b"").file("package/x").done(), damaged));
    all.push(("twice", tar().file("package/x").file("package/x").done(), twice));
    all.push(("twice by case", tar().file("package/x").file("package/X").done(), twice));
    all.push(("twice by ./", tar().file("package/x").file("./package/x").done(), twice));
    all.push(("file, then below it", tar().file("package/x").file("package/x/y").done(), twice));
    all.push(("directory, then file", tar().file("package/x/y").file("package/x").done(), twice));
    let directory = |name: &[u8]| tar().file("package/x").entry(name, EntryType::Directory, 0, b"", b"").done();
    all.push(("file, then directory", directory(b"package/x/"), twice));
    all.push(("directory outside", directory(b"../escape/"), name));
    all.push(("deep", tar().pax("path", &format!("package{}", "/d".repeat(500))).file("x").done(), name));
    all.push(("long", tar().pax("path", &format!("package/{}", "d".repeat(5000))).file("x").done(), name));
    let many = (0..60).fold(tar(), |tar, index| tar.file(&format!("package/{index}")));
    all.push(("many entries", many.done(), |p| matches!(p, UnpackProblem::TooManyEntries { .. })));
    let many = (0..60).fold(tar(), |tar, _| tar.pax("path", "package/x"));
    all.push(("many headers", many.done(), |p| matches!(p, UnpackProblem::TooManyEntries { .. })));
    let large = tar().entry(b"package/x", EntryType::Regular, 2 << 20, b"x", b"");
    all.push(("large file", large.done(), |p| matches!(p, UnpackProblem::LargeFile { .. })));
    let zeros = (0..4).fold(tar(), |tar, index| {
        tar.entry(format!("package/{index}").as_bytes(), EntryType::Regular, 1 << 20, &vec![0; 1 << 20], b"")
    });
    all.push(("bomb", zeros.done(), |p| matches!(p, UnpackProblem::Ratio { .. })));
    let mut padded = tar().file("package/x").0;
    padded.resize(8 << 20, 0);
    all.push(("bomb behind the end", gzip(&padded), |p| matches!(p, UnpackProblem::Ratio { .. })));
    let noise = (0..6).fold(tar(), |tar, index| {
        let data: Vec<u8> = (0..16).flat_map(|_| program()).collect();
        tar.entry(format!("package/{index}").as_bytes(), EntryType::Regular, 1 << 20, &data, b"")
    });
    // The noise repeats every 64 KiB, further than gzip looks back.
    all.push(("too large in all", noise.done(), |p| matches!(p, UnpackProblem::TooLarge { .. })));
    all.push(("cut off file", gzip(&tar().entry(b"package/x", EntryType::Regular, 4096, b"x", b"").0), damaged));
    let whole = tar().file("package/x").done();
    all.push(("cut off gzip", whole[..whole.len() - 9].to_vec(), damaged));
    let mut sum = whole.clone();
    let at = sum.len() - 6;
    sum[at] ^= 1;
    all.push(("wrong gzip checksum", sum, damaged));
    let mut header = tar().file("package/x").0;
    header[0] ^= 1;
    all.push(("wrong header checksum", gzip(&header), damaged));
    all.push(("no gzip", b"hello".to_vec(), damaged));
    all.push(("empty", Vec::new(), damaged));
    all
}

#[test]
fn n07_every_malicious_archive_is_refused_and_nothing_leaves_the_directory() {
    let corpus = corpus();
    assert!(corpus.len() >= 40, "{}", corpus.len());
    for (what, archive, is) in &corpus {
        let dir = tempfile::tempdir().unwrap();
        match try_unpack(archive, dir.path()) {
            Ok(files) => panic!("{what:?} gave {files} files"),
            Err(problem) => assert!(is(&problem), "{what:?}: {problem}"),
        }
        let outside: Vec<_> =
            listing(dir.path()).into_iter().filter(|name| !name.starts_with("tree") && name != "archive.tgz").collect();
        assert_eq!(outside, [""; 0], "{what:?}");
    }
}

#[test]
fn honest_archives_of_many_packers_pass() {
    let long = format!("package/{}/file", "directory/".repeat(14).trim_end_matches('/'));
    let archive = tar()
        .entry(b"g", EntryType::XGlobalHeader, 20, b"20 comment=whatever\n", b"")
        .entry(b"package/", EntryType::Directory, 0, b"", b"")
        .file("package/copilot")
        .file("./package/dot")
        .pax("mtime", "1.5")
        .file("package/with-pax")
        .pax("path", &long)
        .file("package/short")
        .long(EntryType::GNULongName, &format!("{long}2"))
        .file("package/short2")
        .entry(b"package/old", EntryType::new(0), 1, b"x", b"")
        .entry(b"package/empty", EntryType::Regular, 0, b"", b"");
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(try_unpack(&archive.done(), dir.path()).unwrap(), 7);
    assert_eq!(std::fs::read(dir.path().join("tree").join(long)).unwrap(), b"x");
}

#[test]
fn unpacking_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (file, tree) = (dir.path().join("a"), dir.path().join("tree"));
    std::fs::write(&file, tar().file("package/x").done()).unwrap();
    std::fs::create_dir(&tree).unwrap();
    let stopped = unpack(&file, &tree, Layout::Package, "package/x", &limits(), &|| true);
    assert!(matches!(stopped, Err(UnpackProblem::Stopped)));
    assert_eq!(listing(&tree), [""; 0]);
}
