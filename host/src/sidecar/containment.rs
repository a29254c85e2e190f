//! What holds the Copilot CLI: the files that it reaches, and a control group of its own.

use super::cli_environment::{Network, Places};
use llm_provider_process::{CgroupLimits, FileAccess, Grants, Spec, file_containment};
use std::path::{Path, PathBuf};

/// How the program found is started in its place: with its own directories to write, and itself and what the operator
/// named to read. `further` is what the operator adds.
pub(super) fn contained(program: &Path, places: &Places, network: &Network, further: &[PathBuf]) -> Spec {
    if let Err(reason) = file_containment() {
        tracing::warn!(%reason, hint = reason.hint(), "a sidecar is started with all of the host's files within reach");
    }
    let access = FileAccess::Only(grants(program, places, network, further));
    Spec::new(program, &places.work).files(access).cgroup(CgroupLimits::default())
}

fn grants(program: &Path, places: &Places, network: &Network, further: &[PathBuf]) -> Grants {
    let writable: Vec<PathBuf> = places.all().into_iter().map(Path::to_path_buf).collect();
    // A shim that a package manager made leads to the package.
    let real = real(program);
    let private: Vec<PathBuf> =
        writable.iter().cloned().chain(std::env::home_dir()).flat_map(|path| [real_place(&path), path]).collect();
    let mut readable: Vec<PathBuf> = [program, &real].into_iter().flat_map(|file| installed(file, &private)).collect();
    readable.extend(places.read_only().map(Path::to_path_buf));
    readable.extend(network.ca_bundle.clone());
    readable.extend(further.iter().cloned());
    Grants { readable, writable }
}

/// Where a path leads.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Where a directory is or will be: that of a tenant may not have been made yet.
fn real_place(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    there.map_or_else(|| path.to_owned(), |(above, real)| real.join(path.strip_prefix(above).unwrap_or(Path::new(""))))
}

/// A program and what is installed with it: all packages beside its own where a package manager keeps them, and the
/// program's directory otherwise. That is not given where it holds what is `private`: the home of the user or the
/// sidecar's own directories, and with them those of other tenants. Both as they are named and as they lie on the disk.
fn installed(program: &Path, private: &[PathBuf]) -> Vec<PathBuf> {
    let packages =
        program.ancestors().filter(|path| path.file_name().is_some_and(|name| name == "node_modules")).last();
    let directory = packages.or_else(|| program.parent()).filter(|directory| {
        !private.iter().any(|private| private.starts_with(directory) || private.starts_with(real(directory)))
    });
    std::iter::once(program).chain(directory).map(Path::to_path_buf).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_comes_with_its_directory_unless_that_is_private() {
        let own = [PathBuf::from("/srv/data/tenant/copilot-cli/home")];
        let given = |program: &str| installed(Path::new(program), &own);
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(given("/opt/copilot/copilot"), paths(&["/opt/copilot/copilot", "/opt/copilot"]));
        assert_eq!(given("/srv/copilot"), paths(&["/srv/copilot"]), "all tenants are below it");
        assert_eq!(given("/copilot"), paths(&["/copilot"]));
        let package = "/x/lib/node_modules/@github/copilot/node_modules/y/copilot";
        assert_eq!(given(package), paths(&[package, "/x/lib/node_modules"]));
    }

    /// A home that is reached by a link, as where homes are on a disk of their own.
    #[test]
    fn a_private_directory_is_known_by_its_other_name() {
        let place = tempfile::tempdir().expect("a directory");
        let (disk, link) = (place.path().join("disk"), place.path().join("home"));
        std::fs::create_dir(&disk).expect("made");
        std::os::unix::fs::symlink(&disk, &link).expect("linked");
        std::fs::write(disk.join("copilot"), "").expect("written");
        for root in [&disk, &link] {
            for program in [disk.join("copilot"), link.join("copilot")] {
                let places = Places::below(&root.join("tenants/one"), "copilot-cli", None);
                let readable = grants(&program, &places, &Network::default(), &[]).readable;
                assert!(!readable.contains(&disk) && !readable.contains(&link), "{program:?}: {readable:?}");
            }
        }
        let home = std::env::home_dir().expect("a home");
        let places = Places::below(Path::new("/srv/tenant"), "copilot-cli", None);
        let readable = grants(&home.join("copilot"), &places, &Network::default(), &[]).readable;
        assert!(!readable.contains(&home), "{readable:?}");
    }

    #[test]
    fn only_its_own_directories_are_written() {
        let places = Places::below(Path::new("/srv/tenant"), "copilot-cli", Some("/srv/cache/unpacked".into()));
        let network = Network { ca_bundle: Some(PathBuf::from("/srv/ca.pem")), ..Network::default() };
        let grants = grants(Path::new("/opt/c/copilot"), &places, &network, &["/opt/node".into()]);
        assert!(grants.writable.iter().all(|path| path.starts_with("/srv/tenant/copilot-cli")), "{grants:?}");
        assert_eq!(grants.writable.len(), 5);
        for path in ["/opt/c", "/srv/ca.pem", "/opt/node", "/srv/cache/unpacked"] {
            assert!(grants.readable.contains(&PathBuf::from(path)), "{path}: {grants:?}");
        }
        let unpacker = places.of_the_unpacker(Path::new("/srv/cache/unpacked"));
        let grants = super::grants(Path::new("/opt/c/copilot"), &unpacker, &network, &[]);
        assert!(grants.writable.contains(&PathBuf::from("/srv/cache/unpacked")), "{grants:?}");
    }
}
