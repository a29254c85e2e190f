//! Where `llmp.toml` is.

use super::document::Document;
use super::file::File;
use super::{ConfigFile, Environment, Report, directories};
use crate::failure::Failure;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

const NAME: &str = "llmp.toml";

/// Largest file: 1 MiB. Nobody writes that; a device or a log given by mistake must not fill the memory.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the file that is named by the flag or `LLMP_CONFIG`; else the one in the working directory; else the user's.
pub(super) fn load(
    flag: Option<&Path>,
    env: &Environment,
    working_dir: &Path,
    report: &mut Report,
) -> Result<File, Failure> {
    let variable = env.path("LLMP_CONFIG")?;
    let named = [(flag.map(Path::to_owned), "--config"), (variable, "LLMP_CONFIG")];
    let named = named.into_iter().find_map(|(path, by)| Some((working_dir.join(path?), by)));
    if let Some((path, by)) = named {
        let text = read(&path)?.ok_or_else(|| {
            Failure::usage(
                format!("{} (named by {by}) does not exist", path.display()),
                format!("correct or remove {by}"),
            )
        })?;
        return parse(path.display().to_string(), (&path, by), text, env, report);
    }
    let here = working_dir.join(NAME);
    if let Some(text) = read(&here)? {
        return parse(NAME.to_owned(), (&here, "in the working directory"), text, env, report);
    }
    let Some((base, _)) = directories::base("XDG_CONFIG_HOME", ".config", env)? else { return Ok(File::default()) };
    let users = base.join("llmp").join(NAME);
    match read(&users)? {
        Some(text) => parse(users.display().to_string(), (&users, "the user's"), text, env, report),
        None => Ok(File::default()),
    }
}

fn parse(
    name: String,
    (path, by): (&PathBuf, &str),
    text: String,
    env: &Environment,
    report: &mut Report,
) -> Result<File, Failure> {
    report.file = Some(ConfigFile { path: path.clone(), named_by: by.to_owned() });
    let directory = path.parent().map(Path::to_owned).unwrap_or_default();
    File::read(&Document { name, directory, home: env.home()?, text })
}

/// The text; nothing when there is no such file.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    let failed = |problem: String| {
        Failure::usage(format!("{} cannot be read: {problem}", path.display()), "make it a readable file of TOML")
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if read as u64 > MAX_BYTES {
        return Err(failed(format!("it has more than {MAX_BYTES} bytes")));
    }
    Ok(Some(text))
}
