//! Who answers, and with which model.

use super::file::{File, RESERVED};
use super::nearest::nearest;
use super::secrets::{SecretPlace, github_token};
use super::services::{self, SERVICES, Service};
use super::tables::EndpointTable;
use super::{Candidate, Environment, Flags, From, Provider, Report, endpoint, flag, github, model, printable};
use crate::failure::Failure;
use std::collections::BTreeMap;

/// Who answers, and who is asked next.
pub(super) struct Decided {
    pub(super) provider: From<Provider>,
    pub(super) model: Option<From<String>>,
    pub(super) fallback: Vec<Candidate>,
}

/// What there is to choose from.
struct Available {
    /// The endpoint that the Copilot CLI's own variables describe.
    environment: Option<EndpointTable>,
    /// Tables of the file.
    tables: BTreeMap<String, EndpointTable>,
    /// Services that variables describe, in the order in which they are asked.
    services: Vec<(&'static Service, EndpointTable)>,
    token: Option<From<SecretPlace>>,
}

/// The provider that was asked for; or what the configuration amounts to.
#[derive(Clone, Copy)]
enum Choice<'a> {
    Github,
    Demo,
    Endpoint(&'a str, &'a EndpointTable),
}

pub(super) fn resolve(flags: &Flags, file: &File, env: &Environment, report: &mut Report) -> Result<Decided, Failure> {
    let asked = asked(flags, file, env, report)?;
    let available = Available::new(file, env, report)?;
    let general = named(flags, env)?;
    let (choice, general) = match &asked {
        Some(asked) => (available.named(asked)?, general),
        None => available.unasked(general, file.model.as_ref(), report)?,
    };
    let model = choose_model(&choice.value, general, file, env, report)?;
    let fallback = available.fallback(&choice, file, env, report)?;
    let (provider, model) = available.build(choice, model, env, report)?;
    if model.is_none() && matches!(provider.value, Provider::Endpoint(_)) {
        return Err(no_model(provider.value.name()));
    }
    Ok(Decided { provider, model, fallback })
}

/// Every provider that is configured, or why it cannot be used; only the one that was asked for, if one was.
pub(super) fn all(
    flags: &Flags,
    file: &File,
    env: &Environment,
    report: &mut Report,
) -> Result<Vec<Result<From<Provider>, Failure>>, Failure> {
    let available = Available::new(file, env, report)?;
    let choices = match asked(flags, file, env, report)? {
        Some(asked) => vec![available.named(&asked)?],
        None => available.all(),
    };
    let build = |choice| available.build(choice, None, env, report).map(|(provider, _)| provider);
    Ok(choices.into_iter().map(build).collect())
}

fn asked(flags: &Flags, file: &File, env: &Environment, report: &mut Report) -> Result<Option<From<String>>, Failure> {
    let asked = [flag(flags.provider.as_deref(), "--provider"), env.given("LLMP_PROVIDER")?, file.provider.clone()];
    Ok(report.choose("provider", asked))
}

impl Available {
    fn new(file: &File, env: &Environment, report: &mut Report) -> Result<Self, Failure> {
        let mut tables = file.providers.clone();
        for (name, table) in &mut tables {
            services::service(name).iter().for_each(|service| service.complete(table, env));
        }
        let mut described = Vec::new();
        for service in SERVICES.iter().filter(|service| !tables.contains_key(service.name)) {
            described.extend(service.described(env, report)?.map(|table| (service, table)));
        }
        let token = github::token_place(file.github_token.as_ref(), env, report)?;
        Ok(Self { environment: endpoint::from_environment(env, report)?, tables, services: described, token })
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

    fn named(&self, asked: &From<String>) -> Result<From<Choice<'_>>, Failure> {
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
    fn by_prefix(&self, model: &From<String>) -> Option<(From<Choice<'_>>, From<String>)> {
        let (prefix, name) = model.value.split_once('/').filter(|(_, name)| !name.is_empty())?;
        if model::is_for_github(&model.value) {
            return None; // these prefixes have an order of their own
        }
        let value = self.find(prefix)?;
        Some((From { value, from: model.from.clone() }, From { value: name.to_owned(), from: model.from.clone() }))
    }

    /// In this order: an endpoint of the environment, the provider that the model's name begins with, the only endpoint
    /// of the file, a service that has a model, GitHub, the demo. With it the model, without the provider's name.
    fn unasked(
        &self,
        model: Option<From<String>>,
        general: Option<&From<String>>,
        report: &mut Report,
    ) -> Result<(From<Choice<'_>>, Option<From<String>>), Failure> {
        if let Some(table) = &self.environment {
            let from = table.base_url.as_ref().map(|url| url.from.clone()).unwrap_or_default();
            return Ok((From { value: Choice::Endpoint("environment", table), from }, model));
        }
        if let Some((choice, name)) = model.as_ref().or(general).and_then(|model| self.by_prefix(model)) {
            return Ok((choice, Some(name)));
        }
        if let Some(model) = model.as_ref().filter(|model| model::is_for_github(&model.value)) {
            return Ok((From { value: Choice::Github, from: model.from.clone() }, Some(model.clone())));
        }
        let mut tables = self.tables.iter();
        match (tables.next(), tables.next()) {
            (Some((name, table)), None) => {
                let from = "the only provider of the configuration file".to_owned();
                return Ok((From { value: Choice::Endpoint(name, table), from }, model));
            }
            (Some(_), Some(_)) => return Err(self.too_many()),
            (None, _) => {}
        }
        let named = model.as_ref().or(general);
        let has_model = |table: &EndpointTable| named.is_some() || table.model.is_some();
        let service = self.services.iter().find(|(_, table)| has_model(table));
        if let Some(missing) = named.and_then(|model| unconfigured(model, service.map(|(service, _)| *service))) {
            return Err(missing);
        }
        for (service, _) in self.services.iter().filter(|(_, table)| !has_model(table)) {
            let models = service.model_variables().join(" or ");
            report.note(format!("{} is configured and is not asked: name a model with {models}", service.name));
        }
        let value = match (service, &self.token) {
            (Some((service, table)), _) => {
                let from = table.key.as_ref().or(table.token.as_ref()).map(|key| key.from.clone());
                let from = from.or(table.base_url.as_ref().map(|url| url.from.clone()));
                From { value: Choice::Endpoint(service.name, table), from: from.unwrap_or_default() }
            }
            (None, Some(token)) => From { value: Choice::Github, from: token.from.clone() },
            (None, None) => match self.services.first() {
                Some((service, _)) => return Err(no_model(service.name)),
                None => From { value: Choice::Demo, from: "nothing else is configured".to_owned() },
            },
        };
        Ok((value, model))
    }

    fn too_many(&self) -> Failure {
        let names: Vec<_> = self.tables.keys().map(|name| printable(name)).collect();
        Failure::usage(
            format!("there are several providers and none is chosen: {}", names.join(", ")),
            "choose one with --provider, LLMP_PROVIDER, `provider` in llmp.toml, or by the model: NAME/MODEL",
        )
    }

    /// All that are configured, the demo if none is.
    fn all(&self) -> Vec<From<Choice<'_>>> {
        let named = |name: &'static str| move |table| (Choice::Endpoint(name, table), name.to_owned());
        let mut all: Vec<(Choice<'_>, String)> = self.environment.iter().map(named("environment")).collect();
        all.extend(self.tables.iter().map(|(name, table)| (Choice::Endpoint(name, table), name.clone())));
        all.extend(self.services.iter().map(|(service, table)| named(service.name)(table)));
        all.extend(self.token.iter().map(|_| (Choice::Github, "github".to_owned())));
        if all.is_empty() {
            all.push((Choice::Demo, "nothing else is configured".to_owned()));
        }
        all.into_iter().map(|(value, from)| From { value, from }).collect()
    }

    /// Models with a provider's name before them are that provider's; others are those of the one that answers.
    fn fallback(
        &self,
        chosen: &From<Choice<'_>>,
        file: &File,
        env: &Environment,
        report: &mut Report,
    ) -> Result<Vec<Candidate>, Failure> {
        let Some(list) = &file.fallback else { return Ok(Vec::new()) };
        let mut candidates = Vec::new();
        for text in &list.value {
            let model = From { value: text.clone(), from: list.from.clone() };
            let (choice, model) = match self.by_prefix(&model) {
                Some(found) => found,
                None if model::is_for_github(text) => (From { value: Choice::Github, from: list.from.clone() }, model),
                None => (From { value: chosen.value, from: chosen.from.clone() }, model),
            };
            let (provider, model) = self.build(choice, Some(model), env, report)?;
            candidates.extend(model.map(|model| Candidate { provider, model }));
        }
        Ok(candidates)
    }

    fn build(
        &self,
        choice: From<Choice<'_>>,
        model: Option<From<String>>,
        env: &Environment,
        report: &mut Report,
    ) -> Result<(From<Provider>, Option<From<String>>), Failure> {
        let (provider, model) = match choice.value {
            Choice::Demo => (Provider::Demo, model),
            Choice::Github => {
                let place = self.token.as_ref().ok_or_else(github::no_token)?;
                (Provider::Github { token: github_token(place, env)? }, model.map(model::for_github).transpose()?)
            }
            Choice::Endpoint(name, table) => {
                (Provider::Endpoint(Box::new(endpoint::assemble(name, table, env, report)?)), model)
            }
        };
        Ok((From { value: provider, from: choice.from }, model))
    }
}

/// The model's name begins with that of a service that nobody configured, and who would answer knows no names of others.
fn unconfigured(model: &From<String>, service: Option<&Service>) -> Option<Failure> {
    let (prefix, _) = model.value.split_once('/')?;
    let wanted = services::service(prefix)?;
    (!service.is_some_and(|service| service.routes)).then(|| not_configured(wanted, &model.from))
}

fn not_configured(service: &Service, from: &str) -> Failure {
    let message = format!("{from} asks for the provider `{}`, which is not configured", service.name);
    Failure::usage(message, format!("set {}, or add [providers.{}] to llmp.toml", service.wants(), service.name))
}

/// The model that was asked for, whoever answers.
fn named(flags: &Flags, env: &Environment) -> Result<Option<From<String>>, Failure> {
    Ok(flag(flags.model.as_deref(), "--model").or(env.given("LLMP_MODEL")?))
}

/// An endpoint's model can be guessed by nobody.
fn no_model(name: &str) -> Failure {
    let place = match name {
        "environment" => "COPILOT_MODEL".to_owned(),
        name if services::service(name).is_some_and(|service| !service.model_variables().is_empty()) => {
            let models = services::service(name).map(Service::model_variables).unwrap_or_default();
            format!("{}, or `model` in [providers.{name}]", models.join(", "))
        }
        name => format!("`model` in [providers.{}]", printable(name)),
    };
    let message = format!("no model is named for the provider `{}`", printable(name));
    Failure::usage(
        message,
        format!("name one with --model, LLMP_MODEL, or {place}; `llmp models` lists them where the provider tells"),
    )
}

/// The variables of other providers are not asked: `GITHUB_MODEL` says nothing about an endpoint of the file.
fn choose_model(
    choice: &Choice<'_>,
    general: Option<From<String>>,
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
    let overridden = general.as_ref().filter(|model| model.from == "--model").map(|_| env.given("LLMP_MODEL"));
    let mut offers = vec![general, overridden.transpose()?.flatten()];
    offers.extend(env.each(variables)?);
    offers.extend([own, file.model.clone()]);
    Ok(report.choose("model", offers))
}
