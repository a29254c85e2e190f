//! The providers that are configured, each by its name.

use super::file::{File, RESERVED};
use super::nearest::nearest;
use super::secrets::{SecretPlace, github_token};
use super::services::{self, SERVICES, Service};
use super::tables::EndpointTable;
use super::{Environment, From, Provider, Report, endpoint, github, model, printable};
use crate::failure::Failure;
use std::collections::BTreeMap;

/// What there is to choose from.
pub(super) struct Available {
    /// The endpoint that the Copilot CLI's own variables describe.
    pub(super) environment: Option<EndpointTable>,
    /// Tables of the file.
    pub(super) tables: BTreeMap<String, EndpointTable>,
    /// Services that variables describe, in the order in which they are asked.
    pub(super) services: Vec<(&'static Service, EndpointTable)>,
    pub(super) token: Option<From<SecretPlace>>,
    /// Where the file says that the token is.
    pub(super) token_in_file: Option<From<SecretPlace>>,
}

/// The provider that was asked for; or what the configuration amounts to.
#[derive(Clone, Copy)]
pub(super) enum Choice<'a> {
    Github,
    Demo,
    Endpoint(&'a str, &'a EndpointTable),
}

impl Choice<'_> {
    /// The model's name without that of this provider. What comes before the names of GitHub's models is taken off later.
    pub(super) fn own_name(&self, model: From<String>) -> From<String> {
        let provider = match self {
            Self::Github => "copilot",
            Self::Demo => "demo",
            Self::Endpoint(name, _) => name,
        };
        let name = model.value.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/'));
        match name.filter(|name| !name.is_empty() && !is_part(provider, name)) {
            Some(name) => From { value: name.to_owned(), from: model.from },
            None => model,
        }
    }

    /// Whether it is a table or a service.
    pub(super) fn is_another(&self) -> bool {
        matches!(self, Self::Endpoint(name, _) if *name != "environment")
    }
}

/// Whether a service has models with names of other services before them.
pub(super) fn routes(provider: &str) -> bool {
    services::service(provider).is_some_and(|service| service.routes)
}

/// Whether the provider's name is a part of its model's: who routes has names of two parts, and `openrouter/auto` is one.
fn is_part(provider: &str, name: &str) -> bool {
    routes(provider) && !name.contains('/')
}

impl Available {
    pub(super) fn new(file: &File, env: &Environment, report: &mut Report) -> Result<Self, Failure> {
        let mut tables = file.providers.clone();
        for (name, table) in &mut tables {
            services::service(name).map_or(Ok(()), |service| service.complete(table, env, report))?;
        }
        let mut described = Vec::new();
        for service in SERVICES.iter().filter(|service| !tables.contains_key(service.name)) {
            described.extend(service.described(env, report)?.map(|table| (service, table)));
        }
        let token = github::token_place(file.github_token.as_ref(), env, report)?;
        let environment = endpoint::from_environment(env, report)?;
        Ok(Self { environment, tables, services: described, token, token_in_file: file.github_token.clone() })
    }

    /// The provider of a name, if it is there.
    fn find(&self, name: &str) -> Option<Choice<'_>> {
        let environment = || self.environment.as_ref().map(|table| Choice::Endpoint("environment", table));
        match name {
            "github" => Some(Choice::Github),
            "copilot" => environment().or(Some(Choice::Github)),
            "demo" => Some(Choice::Demo),
            "environment" => environment(),
            name => {
                let table = self.tables.get_key_value(name).map(|(name, table)| Choice::Endpoint(name, table));
                let service = self.services.iter().find(|(service, _)| service.name == name);
                table.or_else(|| service.map(|(service, table)| Choice::Endpoint(service.name, table)))
            }
        }
    }

    /// As [`Self::find`], or why it is not there.
    pub(super) fn named(&self, asked: &From<String>) -> Result<From<Choice<'_>>, Failure> {
        match self.find(&asked.value) {
            Some(value) => Ok(From { value, from: asked.from.clone() }),
            None if asked.value == "environment" => Err(Failure::usage(
                format!("{} asks for the provider `environment`, and no variable gives its address", asked.from),
                "set COPILOT_PROVIDER_BASE_URL to the endpoint's address",
            )),
            None => Err(match services::service(&asked.value) {
                Some(service) => not_configured(service, &asked.from),
                None => self.unknown(asked),
            }),
        }
    }

    fn unknown(&self, asked: &From<String>) -> Failure {
        let tables = self.tables.keys().map(String::as_str);
        let services = self.services.iter().map(|(service, _)| service.name);
        let known: Vec<_> = RESERVED.into_iter().chain(tables).chain(services).collect();
        let guess = nearest(&asked.value, &known).map(|name| format!("did you mean `{}`? ", printable(name)));
        let list = known.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ");
        let message = format!("there is no provider `{}` ({})", printable(&asked.value), asked.from);
        Failure::usage(message, format!("{}there are: {list}", guess.unwrap_or_default()))
    }

    /// The provider that a model's name begins with, and the name without it.
    pub(super) fn by_prefix(&self, model: &From<String>) -> Option<(From<Choice<'_>>, From<String>)> {
        let (prefix, name) = model.value.split_once('/').filter(|(_, name)| !name.is_empty())?;
        if model::is_for_github(&model.value) {
            return None; // these prefixes have an order of their own
        }
        let value = self.find(prefix)?;
        let name = if is_part(prefix, name) { &model.value } else { name };
        Some((From { value, from: model.from.clone() }, From { value: name.to_owned(), from: model.from.clone() }))
    }

    /// GitHub is to answer and there is no token.
    pub(super) fn no_token(&self) -> Failure {
        github::no_token(self.token_in_file.as_ref())
    }

    /// All that are configured, the demo if none is.
    pub(super) fn all(&self) -> Vec<From<Choice<'_>>> {
        let named = |name: &'static str| move |table| (Choice::Endpoint(name, table), name.to_owned());
        let mut all: Vec<(Choice<'_>, String)> = self.environment.iter().map(named("environment")).collect();
        all.extend(self.tables.iter().map(|(name, table)| (Choice::Endpoint(name, table), name.clone())));
        all.extend(self.services.iter().map(|(service, table)| named(service.name)(table)));
        all.extend(self.token.iter().map(|_| (Choice::Github, "github".to_owned())));
        if let Some(place) = self.token_in_file.as_ref().filter(|_| all.is_empty()) {
            all.push((Choice::Github, place.from.clone()));
        }
        if all.is_empty() {
            all.push((Choice::Demo, "nothing else is configured".to_owned()));
        }
        all.into_iter().map(|(value, from)| From { value, from }).collect()
    }

    /// Checks who was chosen and reads the secrets; GitHub's models lose what stands before their names.
    pub(super) fn build(
        &self,
        choice: From<Choice<'_>>,
        model: Option<From<String>>,
        env: &Environment,
        report: &mut Report,
    ) -> Result<(From<Provider>, Option<From<String>>), Failure> {
        let (provider, model) = match choice.value {
            Choice::Demo => (Provider::Demo, model),
            Choice::Github => {
                let place = self.token.as_ref().ok_or_else(|| self.no_token())?;
                (Provider::Github { token: github_token(place, env)? }, model.map(model::for_github).transpose()?)
            }
            Choice::Endpoint(name, table) => {
                (Provider::Endpoint(Box::new(endpoint::assemble(name, table, env, report)?)), model)
            }
        };
        Ok((From { value: provider, from: choice.from }, model))
    }
}

/// A service is asked for that nobody configured.
pub(super) fn not_configured(service: &Service, from: &str) -> Failure {
    let message = format!("{from} asks for the provider `{}`, which is not configured", service.name);
    Failure::usage(message, format!("set {}, or add [providers.{}] to llmp.toml", service.wants(), service.name))
}
