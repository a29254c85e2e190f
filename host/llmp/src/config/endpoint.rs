//! An endpoint of one's own: from variables or a table to checked values.

use super::nearest::suggestion;
use super::secrets::{ENDPOINT_KEY, SecretPlace, endpoint_secret};
use super::tables::{EndpointTable, KINDS, WIRES};
use super::{Endpoint, EndpointKind, Environment, From, HeaderValue, Report, Through, infer, printable};
use crate::failure::Failure;
use llm_provider_host::egress::{Origin, Scheme};
use std::collections::BTreeMap;

const URLS: [&str; 2] = ["GITHUB_COPILOT_PROVIDER_URL", "COPILOT_PROVIDER_BASE_URL"];
const TYPE: &str = "COPILOT_PROVIDER_TYPE";
const WIRE_API: &str = "COPILOT_PROVIDER_WIRE_API";
const API_VERSION: &str = "COPILOT_PROVIDER_AZURE_API_VERSION";

/// The endpoint that variables describe; nothing when its address is not set.
pub(super) fn from_environment(env: &Environment, report: &mut Report) -> Result<Option<EndpointTable>, Failure> {
    let base_url = report.choose("base-url of the provider `environment`", env.each(&URLS)?);
    if base_url.is_none() {
        for name in [TYPE, WIRE_API, ENDPOINT_KEY, API_VERSION].into_iter().filter(|name| env.has(name)) {
            let hint = format!("set {} too, or unset {name}", URLS.join(" or "));
            report.problem(format!("{name} is set without an address of the endpoint, and is not used"), hint);
        }
        return Ok(None);
    }
    let key = SecretPlace::Variable(ENDPOINT_KEY.to_owned());
    let key = key.is_there(env).then(|| From { value: key, from: "the provider `environment`".to_owned() });
    Ok(Some(EndpointTable {
        kind: one_of(TYPE, &KINDS, env)?,
        base_url,
        wire_api: one_of(WIRE_API, &WIRES, env)?,
        api_version: env.given(API_VERSION)?,
        key,
        // These variables are the CLI's own.
        through: Some(From { value: Through::Copilot, from: "the provider `environment`".to_owned() }),
        ..EndpointTable::default()
    }))
}

fn one_of<T: Copy>(name: &str, names: &[(&str, T)], env: &Environment) -> Result<Option<From<T>>, Failure> {
    let Some(given) = env.given(name)? else { return Ok(None) };
    if let Some((_, value)) = names.iter().find(|(known, _)| *known == given.value) {
        return Ok(Some(From { value: *value, from: given.from }));
    }
    let known: Vec<_> = names.iter().map(|(known, _)| *known).collect();
    let message = format!("unknown value `{}` of {name}", printable(&given.value));
    Err(Failure::usage(message, suggestion(&given.value, &known)))
}

/// Checks a description and reads its secrets.
pub(super) fn assemble(
    name: &str,
    table: &EndpointTable,
    env: &Environment,
    report: &mut Report,
) -> Result<Endpoint, Failure> {
    let base_url = table.base_url.clone().ok_or_else(|| {
        let message = format!("the provider `{}` has no base-url", printable(name));
        Failure::usage(message, format!("add base-url to [providers.{}]", printable(name)))
    })?;
    check_address(&base_url)?;
    let kind = kind(table, &base_url, report);
    check_kind(table, kind.value)?;
    let api_key = report.choose("key of the endpoint", [table.key.clone()]);
    let api_key = api_key.map(|place| endpoint_secret(&place, env)).transpose()?;
    let token = report.choose("token of the endpoint", [table.token.clone()]);
    let token = token.map(|place| endpoint_secret(&place, env)).transpose()?;
    let headers = headers(table, env)?;
    let secret =
        api_key.is_some() || token.is_some() || headers.values().any(|value| matches!(value, HeaderValue::Secret(_)));
    warn_of_plain_http(&base_url, secret, report);
    Ok(Endpoint {
        name: name.to_owned(),
        kind,
        base_url,
        wire_api: report.choose("wire-api", [table.wire_api.clone()]).map(|given| given.value),
        api_version: report.choose("api-version", [table.api_version.clone()]).map(|given| given.value),
        headers,
        api_key,
        token,
        through: table.through.as_ref().map_or(Through::Http, |through| through.value),
        max_prompt_tokens: report.choose("max-prompt-tokens", [table.max_prompt_tokens.clone()]).map(|n| n.value),
        max_output_tokens: report.choose("max-output-tokens", [table.max_output_tokens.clone()]).map(|n| n.value),
        egress: report.choose("egress", [table.egress.clone()]).map(|given| given.value),
    })
}

fn kind(table: &EndpointTable, base_url: &From<String>, report: &mut Report) -> From<EndpointKind> {
    report.choose("type", [table.kind.clone()]).unwrap_or_else(|| {
        let value = infer::infer(&base_url.value);
        let name = KINDS.iter().find(|(_, kind)| *kind == value).map_or("", |(name, _)| name);
        report.note(format!("the type {name} was inferred from the address in {}", base_url.from));
        From { value, from: format!("inferred from {}", base_url.from) }
    })
}

/// The address is not shown when it may hold a secret.
fn check_address(base_url: &From<String>) -> Result<(), Failure> {
    let wrong = |problem: &str, hint: &str| Err(Failure::usage(format!("{} {problem}", base_url.from), hint));
    if let Err(error) = Origin::of(&base_url.value) {
        return wrong(
            &format!("is no address of an endpoint: {error}"),
            "write it as https://host/path, without a user",
        );
    }
    if base_url.value.contains(['?', '#']) {
        return wrong("has a query or a fragment", "write the base address alone; `api-version` has its own setting");
    }
    Ok(())
}

fn check_kind(table: &EndpointTable, kind: EndpointKind) -> Result<(), Failure> {
    let copilot = table.through.as_ref().filter(|through| through.value == Through::Copilot);
    if let (Some(token), Some(through)) = (&table.token, copilot) {
        let message = format!("{} has no place on the way of {}", token.from, through.from);
        return Err(Failure::usage(message, "name a key instead, or take `through` out"));
    }
    if copilot.is_none() {
        check_copilots_keys(table)?;
    }
    if let Some(given) = table.api_version.as_ref().filter(|_| kind != EndpointKind::Azure) {
        let message = format!("{} has a meaning for the type azure only", given.from);
        return Err(Failure::usage(message, "take it out, or set the type to azure"));
    }
    if let (EndpointKind::Gemini, Some(through)) = (kind, copilot) {
        let message = format!("{}: the Copilot CLI does not speak the type gemini", through.from);
        return Err(Failure::usage(message, "take `through` out, or use Google's endpoint of the type openai"));
    }
    let other = KINDS.iter().find(|(_, named)| *named == kind);
    let other = other.filter(|(_, kind)| matches!(kind, EndpointKind::Anthropic | EndpointKind::Gemini));
    if let (Some((name, _)), Some(given)) = (other, &table.wire_api) {
        let message = format!("{} has no meaning for the type {name}", given.from);
        return Err(Failure::usage(message, "take it out, or set the type to openai"));
    }
    Ok(())
}

/// What only the Copilot CLI knows to do must not be written down for nothing.
fn check_copilots_keys(table: &EndpointTable) -> Result<(), Failure> {
    let prompt = table.max_prompt_tokens.as_ref().map(|given| &given.from);
    let Some(from) = prompt.or(table.egress.as_ref().map(|given| &given.from)) else { return Ok(()) };
    let message = format!("{from} has a meaning for an endpoint behind the Copilot CLI only");
    Err(Failure::usage(message, "take it out, or set through = \"copilot\""))
}

fn headers(table: &EndpointTable, env: &Environment) -> Result<BTreeMap<String, HeaderValue>, Failure> {
    let plain = table.headers.iter().map(|(name, text)| Ok((name.clone(), HeaderValue::Plain(text.value.clone()))));
    let secret = table
        .secret_headers
        .iter()
        .map(|(name, place)| Ok((name.clone(), HeaderValue::Secret(endpoint_secret(place, env)?.value))));
    plain.chain(secret).collect()
}

fn warn_of_plain_http(base_url: &From<String>, secret: bool, report: &mut Report) {
    let Ok(origin) = Origin::of(&base_url.value) else { return };
    if secret && origin.scheme() == Scheme::Http && !is_loopback(&origin) {
        report.problem(
            format!("the endpoint's key goes to {origin} without encryption"),
            format!("write https:// in {}", base_url.from),
        );
    }
}

/// Whether an origin cannot leave the machine.
pub(super) fn is_loopback(origin: &Origin) -> bool {
    let host = origin.host().to_string();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
