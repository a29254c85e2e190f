//! Two tenants in one process, each under a policy file of its own; the plugin of one of them is hostile.
//!
//! ```text
//! cargo run --release --example multi_tenant
//! ```
#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example prints, and stops when it cannot go on")]

use llm_provider_host::egress::{Origin, Trust};
use llm_provider_host::{
    Digest, Host, HostConfig, Instance, Policy, PolicySources, Quota, Tenant, TurnError, TurnRequest, inspect,
    user_message,
};
use llmp_model_server::{ModelServer, Script};
use llmp_tests::plugins::NAUGHTY;
use std::error::Error;
use std::path::Path;

const OPENAI: &[u8] = llm_provider_bundle::OPENAI;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("acme.key"), "a-key-of-acme")?;
    let model = ModelServer::start(Script::text("Sixty-four kibibytes.")).await?;

    let host = Host::new(HostConfig::default())?;
    let acme = tenant(&host, include_str!("policies/acme.toml"), "acme.toml", directory.path(), &model)?;
    let mallory = tenant(&host, include_str!("policies/mallory.toml"), "mallory.toml", directory.path(), &model)?;

    println!("acme may not use mallory's plugin:");
    println!("  {}", acme.load(NAUGHTY, "naughty.wasm").await.err().expect("refused"));

    let config =
        format!(r#"{{"base-url":"{}","model":"gpt-5","api-key":{{"secret":"api-key"}}}}"#, model.openai_base_url());
    let openai = acme.load(OPENAI, "openai.wasm").await?;
    let honest = acme.instance(&openai, config)?;
    let naughty = mallory.load(NAUGHTY, "naughty.wasm").await?;
    let hostile = mallory.instance(&naughty, "{}")?;

    println!("mallory's plugin does what it likes; acme's turns go on beside it:");
    for misdeed in ["spin", "grow", "recurse", "panic", "after-usage", "spawn 1 copilot-cli"] {
        try_it(&hostile, misdeed).await;
        try_it(&honest, "How large is an idle instance?").await;
    }
    for url in ["http://169.254.169.254/latest/meta-data/", &model.base_url(), "https://example.com@127.0.0.1/"] {
        try_it(&hostile, &format!("fetch {url}")).await;
    }
    try_it(&hostile, "key https://example.com/ authorization api-key").await;
    println!("mallory's plugin loops until its customer's time is used up:");
    while !mallory.usage().refused.contains_key(&Quota::CpuMillis) {
        drop(turn(&hostile, "spin").await);
    }
    try_it(&hostile, "hello").await;
    try_it(&honest, "And now?").await;

    println!("what each has used:");
    for (name, tenant) in [("acme", &acme), ("mallory", &mallory)] {
        let usage = tenant.usage();
        println!("  {name}: spent {:?}, refused {:?}", usage.spent, usage.refused);
    }
    Ok(())
}

/// A tenant under a policy file, whose places are filled in.
fn tenant(
    host: &Host,
    text: &str,
    origin: &str,
    directory: &Path,
    model: &ModelServer,
) -> Result<Tenant, Box<dyn Error>> {
    let text = text
        .replace("{directory}", &directory.display().to_string())
        .replace("{origin}", &Origin::of(&model.base_url())?.to_string())
        .replace("{openai}", &digest(host, OPENAI)?)
        .replace("{naughty}", &digest(host, NAUGHTY)?);
    Ok(host.tenant(Policy::from_toml(&text, origin, &PolicySources::new(Trust::system()?))?))
}

/// What an operator copies from `llmp plugin inspect`.
fn digest(host: &Host, bytes: &[u8]) -> Result<String, Box<dyn Error>> {
    let digest: Digest = inspect(bytes, "a plugin", host.limits())?.digest;
    Ok(digest.to_string())
}

/// A turn, to its end.
async fn turn(instance: &Instance, prompt: &str) -> Result<String, TurnError> {
    let mut request = TurnRequest::new(vec![user_message(prompt)]);
    request.model = Some("gpt-5".into());
    let (message, _) = instance.session().turn(request).await?.finish().await?;
    Ok(text(&message))
}

/// A turn, and how it ended, on one line.
async fn try_it(instance: &Instance, prompt: &str) {
    match turn(instance, prompt).await {
        Ok(said) => println!("  {prompt:?}: {said:?}"),
        Err(error) => println!("  {prompt:?}: {error}"),
    }
}

fn text(message: &llm_provider_host::Message) -> String {
    let texts = message.blocks.iter().filter_map(|block| match block {
        llm_provider_host::Block::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    texts.collect()
}
