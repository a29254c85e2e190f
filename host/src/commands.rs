//! Short commands on behalf of the artefact crate, through the process crate: `npm config get registry` and
//! `<program> --version`.

use llm_provider_artefact::{Runner, Running, ShortCommand};
use llm_provider_process::probe;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Runs short commands as child processes that end with their deadline.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// Where programs without a directory are looked for: a list as in `PATH`.
    pub search_path: Option<OsString>,
}

impl Runner for Commands {
    fn run(&self, command: ShortCommand) -> Running<'_> {
        Box::pin(async move {
            let program = self.find(&command.program)?;
            let args = command.args.into_iter().map(OsString::from).collect();
            let said = probe(program, args, command.env, command.timeout, command.max_output)
                .await
                .map_err(|error| error.to_string())?;
            if !said.status.success() {
                return Err(format!("it ended with {}{}", said.status, last_line(&said.stderr)));
            }
            String::from_utf8(said.stdout).map_err(|_| "its output is not UTF-8".to_owned())
        })
    }
}

impl Commands {
    /// A bare name is looked up in the search path, whose relative entries do not count: what lies in the working
    /// directory is not to be run by accident.
    ///
    /// # Errors
    /// One line that says what is not there.
    pub fn find(&self, program: &Path) -> Result<PathBuf, String> {
        if program.is_absolute() {
            return Ok(program.to_owned());
        }
        if program.components().count() == 1 {
            let path = self.search_path.clone().unwrap_or_default();
            let mut found = std::env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(program));
            let there_is_none = || format!("there is no {} in the search path", program.display());
            return found.find(|candidate| candidate.is_file()).ok_or_else(there_is_none);
        }
        std::path::absolute(program).map_err(|error| error.to_string())
    }
}

/// The last line that says something; the process crate has escaped it.
fn last_line(stderr: &str) -> String {
    let line = stderr.lines().rev().find(|line| !line.trim().is_empty());
    line.map(|line| format!(": {}", line.trim())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_found_only_in_absolute_directories() {
        let commands = Commands { search_path: Some(".:/bin:/usr/bin".into()) };
        assert!(commands.find(Path::new("sh")).expect("every machine has one").is_absolute());
        assert!(commands.find(Path::new("Cargo.toml")).is_err());
        assert!(Commands::default().find(Path::new("sh")).is_err());
    }
}
