//! Who answers, and with which model.

use super::available::{Available, Choice, not_configured, routes};
use super::file::File;
use super::services::{self, Service};
use super::tables::EndpointTable;
use super::{Candidate, Environment, Flags, From, Provider, Report, flag, model, printable};
use crate::failure::Failure;

/// Who answers, and who is asked next.
pub(super) struct Decided {
    pub(super) provider: From<Provider>,
    pub(super) model: Option<From<String>>,
    pub(super) fallback: Vec<Candidate>,
}

pub(super) fn resolve(flags: &Flags, file: &File, env: &Environment, report: &mut Report) -> Result<Decided, Failure> {
    let available = Available::new(file, env, report)?;
    let general = named(flags, env)?;
    let (choice, general) = available.choose(flags, general, file, env, report)?;
    let model = choose_model(&choice.value, general, file, env, report)?;
    let fallback = available.fallback(&choice, file, env, report)?;
    let (provider, model) = available.build(choice, model, env, report)?;
    if model.is_none() && matches!(provider.value, Provider::Endpoint(_)) {
        return Err(no_model(provider.value.name()));
    }
    Ok(Decided { provider, model, fallback })
}

/// Every provider that is configured, or why it cannot be used; only that of the flag, if there is one. Who is asked where
/// nothing is said, by the variable or the file, is one of them.
pub(super) fn all(
    flags: &Flags,
    file: &File,
    env: &Environment,
    report: &mut Report,
) -> Result<Vec<Result<From<Provider>, Failure>>, Failure> {
    let available = Available::new(file, env, report)?;
    let [by_flag, ..] = asked(flags, file, env)?;
    let choices = match report.choose("provider", [by_flag]) {
        Some(asked) => vec![available.named(&asked)?],
        None => available.all(),
    };
    let build = |choice| available.build(choice, None, env, report).map(|(provider, _)| provider);
    Ok(choices.into_iter().map(build).collect())
}

/// Who is named as the provider: by the flag, the variable, the file.
fn asked(flags: &Flags, file: &File, env: &Environment) -> Result<[Option<From<String>>; 3], Failure> {
    Ok([flag(flags.provider.as_deref(), "--provider"), env.given("LLMP_PROVIDER")?, file.provider.clone()])
}

impl Available {
    /// Who answers; and the model that was asked for, without the provider's name.
    fn choose(
        &self,
        flags: &Flags,
        general: Option<From<String>>,
        file: &File,
        env: &Environment,
        report: &mut Report,
    ) -> Result<(From<Choice<'_>>, Option<From<String>>), Failure> {
        let asked = asked(flags, file, env)?;
        if let ([None, None, Some(of_file)], Some(model)) = (&asked, &general)
            && let Some((choice, model)) = self.instead_of(of_file, model)
        {
            let chosen = From { value: (), from: choice.from.clone() };
            let passed = From { value: (), from: of_file.from.clone() };
            report.choose("provider", [Some(chosen), Some(passed)]);
            return Ok((choice, Some(model)));
        }
        let Some(asked) = report.choose("provider", asked) else {
            return self.unasked(general, file.model.as_ref(), report);
        };
        let choice = self.named(&asked)?;
        let model = general.map(|model| choice.value.own_name(model));
        Ok((choice, model))
    }

    /// The configured provider that the name of the model begins with: it goes before the one of the file.
    fn instead_of(&self, of_file: &From<String>, model: &From<String>) -> Option<(From<Choice<'_>>, From<String>)> {
        let (prefix, _) = model.value.split_once('/')?;
        // Who routes has models with such names: `anthropic/claude-x` may well be one of those.
        let of_its_own = routes(&of_file.value) && services::service(prefix).is_some();
        if prefix == of_file.value || of_its_own {
            return None;
        }
        let found = if model::names_github(prefix) {
            Some((From { value: Choice::Github, from: model.from.clone() }, model.clone()))
        } else {
            self.by_prefix(model)
        };
        found.filter(|(choice, _)| self.token.is_some() || !matches!(choice.value, Choice::Github))
    }

    /// In this order: the table or service that the model's name begins with, an endpoint of the environment, the provider
    /// that the model's name begins with, the only endpoint of the file, a service that has a model, GitHub, the demo. With
    /// it the model, without the provider's name.
    fn unasked(
        &self,
        model: Option<From<String>>,
        general: Option<&From<String>>,
        report: &mut Report,
    ) -> Result<(From<Choice<'_>>, Option<From<String>>), Failure> {
        if let Some(table) = &self.environment {
            return Ok(self.beside_environment(table, model));
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
            (None, None) => match (self.services.first(), &self.token_in_file) {
                (Some((service, _)), _) => return Err(no_model(service.name)),
                // Who names a token wants GitHub, and no answer of a demo in its place.
                (None, Some(_)) => return Err(self.no_token()),
                (None, None) => From { value: Choice::Demo, from: "nothing else is configured".to_owned() },
            },
        };
        Ok((value, model))
    }

    /// An endpoint of the environment, unless the model is one of a table or a service. `copilot/` and GitHub's prefixes
    /// lead nowhere else: the endpoint's own names may begin so.
    fn beside_environment<'a>(
        &'a self,
        table: &'a EndpointTable,
        model: Option<From<String>>,
    ) -> (From<Choice<'a>>, Option<From<String>>) {
        let other = model.as_ref().and_then(|model| self.by_prefix(model));
        if let Some((choice, name)) = other.filter(|(choice, _)| choice.value.is_another()) {
            return (choice, Some(name));
        }
        let from = table.base_url.as_ref().map(|url| url.from.clone()).unwrap_or_default();
        let value = Choice::Endpoint("environment", table);
        (From { value, from }, model.map(|model| value.own_name(model)))
    }

    fn too_many(&self) -> Failure {
        let names: Vec<_> = self.tables.keys().map(|name| printable(name)).collect();
        Failure::usage(
            format!("there are several providers and none is chosen: {}", names.join(", ")),
            "choose one with --provider, LLMP_PROVIDER, `provider` in llmp.toml, or by the model: NAME/MODEL",
        )
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
}

/// The model's name begins with that of a service that nobody configured, and who would answer knows no names of others.
fn unconfigured(model: &From<String>, service: Option<&Service>) -> Option<Failure> {
    let (prefix, _) = model.value.split_once('/')?;
    let wanted = services::service(prefix)?;
    (!service.is_some_and(|service| service.routes)).then(|| not_configured(wanted, &model.from))
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
    offers.extend([own, file.model.clone().map(|model| choice.own_name(model))]);
    Ok(report.choose("model", offers))
}
