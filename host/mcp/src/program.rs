//! A server that is a program.

use crate::mask::Mask;
use llm_provider_host::Secret;
use llm_provider_process::Spec;

/// A program that is an MCP server on its standard input and output.
#[derive(Clone)]
pub struct Program {
    spec: Spec,
    secrets: Vec<(String, Secret)>,
}

impl Program {
    /// A program with exactly this environment. Values that are secret belong into [`Program::secret`].
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        Self { spec, secrets: Vec::new() }
    }

    /// Adds a variable whose value is secret: it is masked in what the server says.
    #[must_use]
    pub fn secret(mut self, variable: impl Into<String>, value: Secret) -> Self {
        self.secrets.push((variable.into(), value));
        self
    }

    pub(crate) fn mask(&self) -> Mask {
        Mask::new(self.secrets.iter().map(|(_, secret)| secret))
    }

    /// What to run, secrets in place.
    pub(crate) fn into_spec(self) -> Spec {
        let secrets = self.secrets.into_iter();
        secrets.fold(self.spec, |spec, (variable, secret)| spec.env(variable, secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_put_in_place() {
        let program = Program::new(Spec::new("/bin/x", "/").env("A", "hunter1")).secret("B", Secret::new("hunter2"));
        let env = program.into_spec().env;
        assert_eq!(env, [("A".into(), "hunter1".into()), ("B".into(), "hunter2".into())]);
    }
}
