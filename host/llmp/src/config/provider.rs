//! Who answers, and with which model.

use super::file::{File, RESERVED};
use super::nearest::nearest;
use super::secrets::{SecretPlace, github_token};
use super::tables::EndpointTable;
use super::{Environment, Flags, From, Provider, Report, endpoint, flag, github, model, printable};
use crate::failure::Failure;

type Decided = (From<Provider>, Option<From<String>>);

/// What there is to choose from.
struct Available<'a> {
    file: &'a File,
    environment: Option<EndpointTable>,
    token: Option<From<SecretPlace>>,
}

/// The provider that was asked for; or what the configuration amounts to.
enum Choice<'a> {
    Github,
    Demo,
    Endpoint(&'a str, &'a EndpointTable),
}

pub(super) fn resolve(flags: &Flags, file: &File, env: &Environment, report: &mut Report) -> Result<Decided, Failure> {
    let asked = [flag(flags.provider.as_deref(), "--provider"), env.given("LLMP_PROVIDER")?, file.provider.clone()];
    let asked = report.choose("provider", asked);
    let environment = endpoint::from_environment(env, report)?;
    let token = github::token_place(file.github_token.as_ref(), env, report)?;
    let available = Available { file, environment, token };
    let choice = match &asked {
        Some(asked) => available.named(asked)?,
        None => available.unasked(named(flags, env)?.as_ref())?,
    };
    let model = choose_model(&choice.value, flags, file, env, report)?;
    available.build(choice, model, env, report)
}

impl Available<'_> {
    fn named(&self, asked: &From<String>) -> Result<From<Choice<'_>>, Failure> {
        let value = match asked.value.as_str() {
            "github" => Choice::Github,
            "demo" => Choice::Demo,
            "environment" => self.described_by_variables(asked)?,
            name => match self.file.providers.get_key_value(name) {
                Some((name, table)) => Choice::Endpoint(name, table),
                None => return Err(self.unknown(asked)),
            },
        };
        Ok(From { value, from: asked.from.clone() })
    }

    fn described_by_variables(&self, asked: &From<String>) -> Result<Choice<'_>, Failure> {
        let table = self.environment.as_ref().ok_or_else(|| {
            Failure::usage(
                format!("{} asks for the provider `environment`, and no variable gives its address", asked.from),
                "set COPILOT_PROVIDER_BASE_URL to the endpoint's address",
            )
        })?;
        Ok(Choice::Endpoint("environment", table))
    }

    fn unknown(&self, asked: &From<String>) -> Failure {
        let tables = self.file.providers.keys().map(String::as_str);
        let known: Vec<_> = RESERVED.into_iter().chain(tables).collect();
        let guess = nearest(&asked.value, &known).map(|name| format!("did you mean `{}`? ", printable(name)));
        let list = known.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ");
        let message = format!("there is no provider `{}` ({})", printable(&asked.value), asked.from);
        Failure::usage(message, format!("{}there are: {list}", guess.unwrap_or_default()))
    }

    /// In this order: an endpoint of the environment, GitHub for a model that says so by its name, the only endpoint of
    /// the file, GitHub, the demo.
    fn unasked(&self, model: Option<&From<String>>) -> Result<From<Choice<'_>>, Failure> {
        if let Some(table) = &self.environment {
            let from = table.base_url.as_ref().map(|url| url.from.clone()).unwrap_or_default();
            return Ok(From { value: Choice::Endpoint("environment", table), from });
        }
        if let Some(model) = model.filter(|model| model::is_for_github(&model.value)) {
            return Ok(From { value: Choice::Github, from: model.from.clone() });
        }
        let mut tables = self.file.providers.iter();
        match (tables.next(), tables.next()) {
            (Some((name, table)), None) => {
                let from = "the only provider of the configuration file".to_owned();
                Ok(From { value: Choice::Endpoint(name, table), from })
            }
            (Some(_), Some(_)) => Err(self.too_many()),
            (None, _) => Ok(match &self.token {
                Some(token) => From { value: Choice::Github, from: token.from.clone() },
                None => From { value: Choice::Demo, from: "nothing else is configured".to_owned() },
            }),
        }
    }

    fn too_many(&self) -> Failure {
        let names: Vec<_> = self.file.providers.keys().map(|name| printable(name)).collect();
        Failure::usage(
            format!("there are several providers and none is chosen: {}", names.join(", ")),
            "choose one with --provider, LLMP_PROVIDER, or `provider` in llmp.toml",
        )
    }

    fn build(
        &self,
        choice: From<Choice<'_>>,
        model: Option<From<String>>,
        env: &Environment,
        report: &mut Report,
    ) -> Result<Decided, Failure> {
        let (provider, model) = match choice.value {
            Choice::Demo => (Provider::Demo, model),
            Choice::Github => {
                let place = self.token.as_ref().ok_or_else(github::no_token)?;
                (Provider::Github { token: github_token(place, env)? }, model.map(model::for_github).transpose()?)
            }
            Choice::Endpoint(name, table) => {
                let endpoint = endpoint::assemble(name, table, env, report)?;
                let model = model.ok_or_else(|| no_model(name))?;
                (Provider::Endpoint(Box::new(endpoint)), Some(model))
            }
        };
        Ok((From { value: provider, from: choice.from }, model))
    }
}

/// The model that was asked for, whoever answers.
fn named(flags: &Flags, env: &Environment) -> Result<Option<From<String>>, Failure> {
    Ok(flag(flags.model.as_deref(), "--model").or(env.given("LLMP_MODEL")?))
}

/// An endpoint's model can be guessed by nobody.
fn no_model(name: &str) -> Failure {
    let place = match name {
        "environment" => "COPILOT_MODEL".to_owned(),
        name => format!("`model` in [providers.{}]", printable(name)),
    };
    let message = format!("no model is named for the provider `{}`", printable(name));
    Failure::usage(message, format!("name one with --model, LLMP_MODEL, or {place}"))
}

/// The variables of other providers are not asked: `GITHUB_MODEL` says nothing about an endpoint of the file.
fn choose_model(
    choice: &Choice<'_>,
    flags: &Flags,
    file: &File,
    env: &Environment,
    report: &mut Report,
) -> Result<Option<From<String>>, Failure> {
    const OF_PROVIDERS: [&str; 2] = ["COPILOT_MODEL", "GITHUB_MODEL"];
    let (variables, own): (&[&str], _) = match choice {
        Choice::Github => (&["GITHUB_MODEL"], None),
        Choice::Endpoint("environment", _) => (&OF_PROVIDERS, None),
        Choice::Endpoint(_, table) => (&[], table.model.clone()),
        Choice::Demo => (&[], None),
    };
    for name in OF_PROVIDERS.iter().filter(|name| env.has(name) && !variables.contains(*name)) {
        report.note(format!("{name} is set and says nothing about this provider"));
    }
    let mut offers = vec![flag(flags.model.as_deref(), "--model"), env.given("LLMP_MODEL")?];
    offers.extend(env.each(variables)?);
    offers.extend([own, file.model.clone()]);
    Ok(report.choose("model", offers))
}
