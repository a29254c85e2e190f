//! `llmp models` and `llmp quota`: what the provider tells of itself.

use crate::args::Catalog;
use crate::config::{self, Resolved};
use crate::failure::{Asked, Failure, FailureKind};
use crate::setup::{Asker, Foundation};
use crate::{Surroundings, output};
use llm_provider_host::wit::catalog::{Allowance, Model};
use serde_json::{Value, json};

/// Lists models of all providers that are configured; of one, when it is asked for.
pub(crate) async fn models(asked: Catalog, surroundings: &Surroundings) -> Result<(), Failure> {
    let flags = crate::flags(&asked.choice);
    let providers = config::resolve_all(&flags, &surroundings.environment, &surroundings.working_dir)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for provider in providers {
        match models_of(provider, surroundings).await {
            Ok((name, models)) => found.extend(models.into_iter().map(|model| (name.clone(), model))),
            Err(failure) => failures.push(failure),
        }
    }
    let text = if asked.json {
        lines(found.iter().map(|(provider, model)| model_json(provider, model)))
    } else {
        models_table(&found)
    };
    if found.is_empty() && failures.len() == 1 {
        return Err(failures.remove(0));
    }
    failures.iter().for_each(Failure::tell);
    output::data(&text).map_err(unwritable)?;
    all(&failures)
}

/// All failures as one, which were told. It is the providers' fault when none is anybody else's.
fn all(failures: &[Failure]) -> Result<(), Failure> {
    let message = match failures.len() {
        0 => return Ok(()),
        1 => "one provider did not tell its models".to_owned(),
        count => format!("{count} providers did not tell their models"),
    };
    let theirs = failures.iter().all(|failure| failure.kind == FailureKind::Provider);
    let kind = if theirs { FailureKind::Provider } else { FailureKind::Usage };
    Err(Failure { kind, message, hint: Some("see above".to_owned()) })
}

async fn models_of(
    resolved: Result<Resolved, Failure>,
    surroundings: &Surroundings,
) -> Result<(String, Vec<Model>), Failure> {
    let resolved = resolved?;
    let name = resolved.provider.value.name().to_owned();
    match told(&resolved, surroundings).await {
        Ok(models) => Ok((name, models)),
        Err(failure) => Err(failure.of(&name)),
    }
}

async fn told(resolved: &Resolved, surroundings: &Surroundings) -> Result<Vec<Model>, Failure> {
    let foundation = Foundation::new(resolved, Asker::Nobody, surroundings)?;
    let answerer = foundation.answerer(resolved, true).await?;
    let told = answerer.instance.models().await;
    answerer.instance.close().await;
    told.map_err(|error| Asked::of(resolved).failure(error))
}

/// Shows what is left.
pub(crate) async fn quota(asked: Catalog, surroundings: &Surroundings) -> Result<(), Failure> {
    let resolved = surroundings.resolve(&asked.choice)?;
    let foundation = Foundation::new(&resolved, Asker::Nobody, surroundings)?;
    let answerer = foundation.answerer(&resolved, true).await?;
    let told = answerer.instance.quota().await;
    answerer.instance.close().await;
    let allowances = told.map_err(|error| Asked::of(&resolved).failure(error))?;
    let text = if asked.json { lines(allowances.iter().map(allowance_json)) } else { quota_table(&allowances) };
    output::data(&text).map_err(unwritable)
}

fn lines(values: impl Iterator<Item = Value>) -> String {
    values.map(|value| value.to_string() + "\n").collect()
}

fn model_json(provider: &str, model: &Model) -> Value {
    json!({
        "provider": provider,
        "id": model.id,
        "name": model.name,
        "context-window": model.context_window,
        "max-output-tokens": model.max_output_tokens,
        "images": model.images,
        "tools": model.tools,
        "reasoning-efforts": model.reasoning_efforts,
        "premium-multiplier": model.premium_multiplier,
    })
}

fn allowance_json(allowance: &Allowance) -> Value {
    json!({
        "name": allowance.name,
        "unlimited": allowance.unlimited,
        "granted": allowance.granted,
        "used": allowance.used,
        "remaining-percent": allowance.remaining_percent,
        "overage": allowance.overage,
        "resets-at": allowance.resets_at,
    })
}

fn models_table(models: &[(String, Model)]) -> String {
    let yes = |flag: Option<bool>| flag.map_or("?", |flag| if flag { "yes" } else { "no" }).to_owned();
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let row = |(provider, model): &(String, Model)| {
        let effort = if model.reasoning_efforts.is_empty() { "-".into() } else { model.reasoning_efforts.join(",") };
        vec![
            format!("{provider}/{}", model.id),
            number(model.context_window),
            yes(model.images),
            yes(model.tools),
            effort,
        ]
    };
    let head = ["model", "window", "images", "tools", "effort"].map(str::to_owned).to_vec();
    table(std::iter::once(head).chain(models.iter().map(row)).collect())
}

fn quota_table(allowances: &[Allowance]) -> String {
    let number = |number: Option<f64>| number.map_or_else(|| "?".to_owned(), |number| format!("{number:.0}"));
    let row = |of: &Allowance| {
        let left = match (of.unlimited, of.remaining_percent) {
            (true, _) => "no end".to_owned(),
            (false, Some(percent)) => format!("{percent:.0} %"),
            (false, None) => "?".to_owned(),
        };
        let resets = of.resets_at.clone().unwrap_or_else(|| "?".to_owned());
        vec![of.name.clone(), left, number(of.used), number(of.granted), resets]
    };
    let head = ["quota", "left", "used", "granted", "begins anew"].map(str::to_owned).to_vec();
    table(std::iter::once(head).chain(allowances.iter().map(row)).collect())
}

/// Rows in columns, what the provider said shown and never obeyed.
fn table(rows: Vec<Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| row.iter().map(|cell| output::plain(cell).replace(['\n', '\t'], " ")).collect())
        .collect();
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn unwritable(error: std::io::Error) -> Failure {
    Failure::usage(format!("cannot write the list: {error}"), "check where stdout goes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_columns_and_obeys_nobody() {
        let model = |id: &str, efforts: &[&str]| Model {
            id: id.into(),
            name: None,
            context_window: Some(128_000),
            max_output_tokens: None,
            images: Some(true),
            tools: None,
            reasoning_efforts: efforts.iter().map(|effort| (*effort).to_owned()).collect(),
            premium_multiplier: Some(1.0),
        };
        let models = [model("a", &[]), model("long\u{1b}[2J", &["low", "high"])];
        let text = models_table(&models.map(|model| ("p".to_owned(), model)));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "model            window  images  tools  effort");
        assert_eq!(lines[1], "p/a              128000  yes     ?      -");
        assert_eq!(lines[2], "p/long\\u{1b}[2J  128000  yes     ?      low,high");
        assert_eq!(model_json("p", &model("a", &[]))["context-window"], 128_000);
    }

    #[test]
    fn the_worst_failure_says_whose_fault_it_is() {
        let failure = |kind| Failure { kind, message: "m".into(), hint: None };
        let kind = |kinds: &[FailureKind]| {
            let failures: Vec<_> = kinds.iter().map(|kind| failure(*kind)).collect();
            all(&failures).err().map(|failure| failure.kind)
        };
        assert_eq!(kind(&[]), None);
        assert_eq!(kind(&[FailureKind::Provider, FailureKind::Provider]), Some(FailureKind::Provider));
        assert_eq!(kind(&[FailureKind::Provider, FailureKind::Usage]), Some(FailureKind::Usage));
    }

    #[test]
    fn a_quota_says_what_is_left() {
        let chat = Allowance {
            name: "chat".into(),
            unlimited: false,
            granted: Some(100.0),
            used: Some(25.0),
            remaining_percent: Some(75.0),
            overage: None,
            resets_at: Some("2026-04-30T00:00:00Z".into()),
        };
        let text = quota_table(&[chat.clone(), Allowance { name: "all".into(), unlimited: true, ..chat }]);
        assert!(text.contains("chat   75 %    25    100      2026-04-30T00:00:00Z"), "{text}");
        assert!(text.contains("all    no end"), "{text}");
    }
}
