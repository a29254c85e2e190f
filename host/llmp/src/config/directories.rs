//! Where things are kept: compiled plugins and programs, and the homes of sidecars.

use super::{Environment, From, Report};
use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// One of the two directories.
pub(super) struct Directory {
    setting: &'static str,
    variable: &'static str,
    /// The variable of the XDG base directory specification.
    xdg: &'static str,
    /// Its default, below the home directory.
    below_home: &'static str,
}

pub(super) const CACHE: Directory =
    Directory { setting: "cache-dir", variable: "LLMP_CACHE_DIR", xdg: "XDG_CACHE_HOME", below_home: ".cache" };

pub(super) const DATA: Directory =
    Directory { setting: "data-dir", variable: "LLMP_DATA_DIR", xdg: "XDG_DATA_HOME", below_home: ".local/share" };

pub(super) fn directory(
    directory: &Directory,
    in_file: Option<From<PathBuf>>,
    env: &Environment,
    working_dir: &Path,
    report: &mut Report,
) -> Result<From<PathBuf>, Failure> {
    let variable = env.path(directory.variable)?;
    let variable = variable.map(|path| From { value: working_dir.join(path), from: directory.variable.to_owned() });
    if let Some(given) = report.choose(directory.setting, [variable, in_file]) {
        return Ok(given);
    }
    let (base, from) = base(directory.xdg, directory.below_home, env)?.ok_or_else(|| {
        Failure::usage(
            format!("there is no place for {}: neither {} nor HOME is set", directory.setting, directory.xdg),
            format!("set {} to a directory that may be written", directory.variable),
        )
    })?;
    Ok(From { value: base.join("llmp"), from })
}

/// A base directory of the XDG specification, which says that relative values are to be ignored.
pub(super) fn base(xdg: &str, below_home: &str, env: &Environment) -> Result<Option<(PathBuf, String)>, Failure> {
    if let Some(path) = env.path(xdg)?.filter(|path| path.is_absolute()) {
        return Ok(Some((path, xdg.to_owned())));
    }
    Ok(env.home()?.map(|home| (home.join(below_home), "default".to_owned())))
}
