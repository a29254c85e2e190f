//! From a turn's start to the end of its process.

use super::OneShot;
use super::ask::{self, Ask, Plan};
use super::run::Run;
use super::session::Server;
use crate::config::{Auth, Config};
use crate::failure::Failure;
use crate::start::MAX_PROMPT_TOKENS;
use llm_provider_core::classify::Fault;
use llm_provider_core::digest::{Chain, Fields};
use llm_provider_core::turn::Turn;
use llm_provider_guest::effects::SidecarEffect;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::provider::{self, SidecarEnd, SidecarFault};
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};
use llm_provider_guest::sidecar::{SecretVariable, Setting, SidecarId, Spec, StopMode};
use llm_provider_guest::types::SessionId;

/// The host's catalogue entry.
const SIDECAR: &str = "copilot-cli-oneshot";
/// Where the CLI looks first for a GitHub token. `COPILOT_SDK_AUTH_TOKEN` is for servers only.
const TOKEN_VARIABLE: &str = "COPILOT_GITHUB_TOKEN";
/// Where it looks for the key of an endpoint of one's own.
const KEY_VARIABLE: &str = "COPILOT_PROVIDER_API_KEY";
/// Processes at once, 250 MiB each: as many as a host allows an instance by default. Further turns wait.
const AT_ONCE: usize = 4;

impl OneShot {
    /// Takes a question. Whatever is wrong with it ends it before anything is started.
    pub(super) fn start_turn(&mut self, asked: provider::Turn) {
        let turn = Turn::new(asked.id, asked.options.model.clone().or_else(|| self.port.config.model.clone()));
        let id = asked.session;
        match self.admit(asked) {
            Ok(()) => {
                self.waiting.push_back(id);
                self.start_waiting();
            }
            Err(failure) => turn.fail(failure.error(), &mut self.port.out),
        }
    }

    /// Checks a question, decides its way and puts it into its session.
    fn admit(&mut self, asked: provider::Turn) -> Result<(), Failure> {
        if self.ended {
            return Err(Failure::of(Fault::SidecarExit, "the plugin is shutting down"));
        }
        let Some(session) = self.sessions.get_mut(&asked.session) else {
            return Err(Failure::of(Fault::Invalid, "the session is not open"));
        };
        if session.run.is_some() {
            return Err(Failure::of(Fault::Invalid, "a turn is running in this session; one at a time"));
        }
        let ask = Ask::check(asked.options, &self.port.config)?;
        let history = Chain::default().extend(&asked.history);
        let seed = self.port.seed;
        let nonce = || {
            let fields = Fields::new("nonce").field(&seed.to_le_bytes()).field(&asked.id.to_le_bytes());
            fields.field(history.digest().hex(32).as_bytes()).digest().hex(8)
        };
        let plan = ask::plan(&asked.history, session.server.as_ref(), nonce)?;
        let spoilt = std::mem::take(&mut session.spoilt);
        let before = session.server.take();
        let turn = Turn::new(asked.id, ask.model.clone());
        let (kind, message) = told(&plan, spoilt);
        turn.notice(kind, message.to_owned(), &mut self.port.out);
        let (name, before, prompt) = match (plan, before) {
            (Plan::Append { prompt }, Some(server)) => (server.name.clone(), Some(server), prompt),
            (Plan::Append { prompt } | Plan::Create { prompt, .. }, _) => (session.next_name(seed), None, prompt),
        };
        session.run = Some(Run::new(turn, before, name, prompt, ask, history));
        Ok(())
    }

    /// Starts processes for the turns that wait, as far as there are places.
    fn start_waiting(&mut self) {
        while self.processes.len() < AT_ONCE
            && let Some(id) = self.waiting.pop_front()
        {
            let Some(run) = self.sessions.get_mut(&id).and_then(|session| session.run.as_mut()) else { continue };
            let process = self.next_sidecar;
            self.next_sidecar += 1;
            run.process = Some(process);
            self.processes.insert(process, Some(id));
            let spec = spec(&run.name, &run.ask, &self.port.config);
            self.port.out.push(SidecarEffect::Start(process, spec).into());
        }
    }

    /// The turn that a process answers.
    fn run_of(&mut self, process: SidecarId) -> Option<(SessionId, &mut Run)> {
        let id = self.processes.get(&process).copied().flatten()?;
        Some((id, self.sessions.get_mut(&id)?.run.as_mut()?))
    }

    /// The process runs: give it the prompt. It begins when its input has ended.
    pub(super) fn started(&mut self, process: SidecarId) {
        let now = self.port.now;
        let Some((_, run)) = self.run_of(process) else { return };
        run.heard = Some(now);
        let prompt = std::mem::take(&mut run.prompt).into_bytes();
        let deadline = run.deadline();
        self.port.out.push(SidecarEffect::Send(process, vec![Chunk::Bytes(prompt)]).into());
        self.port.out.push(SidecarEffect::CloseInput(process).into());
        if let Some(at) = deadline {
            self.port.arm(at);
        }
    }

    /// The process could not be started.
    pub(super) fn not_started(&mut self, fault: &SidecarFault) {
        let failed = self.run_of(fault.id).map(|(id, _)| id);
        self.processes.remove(&fault.id);
        if let Some(id) = failed {
            let failure = Failure::of(Fault::SidecarStart, fault.message.clone()).with_hint(fault.hint.clone());
            self.fail(id, &failure);
        }
        self.start_waiting();
    }

    /// The process wrote.
    pub(super) fn output(&mut self, process: SidecarId, data: &[u8]) {
        let now = self.port.now;
        let Some(id) = self.processes.get(&process).copied().flatten() else { return };
        let Some(run) = self.sessions.get_mut(&id).and_then(|session| session.run.as_mut()) else { return };
        run.heard = Some(now);
        let mut lines = std::mem::take(&mut run.lines);
        let mut rest = data;
        let broken = loop {
            match lines.next(&mut rest) {
                Ok(Some(line)) => match run.line(line, &mut self.port) {
                    Ok(()) => {}
                    Err(failure) => break Some(failure),
                },
                Ok(None) => break None,
                Err(error) => {
                    let message = format!("the Copilot CLI broke the protocol: {error}");
                    break Some(Failure::of(Fault::Protocol, message));
                }
            }
        };
        run.lines = lines;
        if let Some(failure) = broken {
            self.fail(id, &failure);
        }
    }

    /// The process has ended.
    pub(super) fn exited(&mut self, end: &SidecarEnd) {
        let id = self.processes.remove(&end.id).flatten();
        if let Some(id) = id {
            self.conclude(id, Some(&end.exit));
        }
        self.start_waiting();
    }

    /// A turn's deadline has passed.
    pub(super) fn overdue(&mut self, id: SessionId) {
        let Some(run) = self.sessions.get(&id).and_then(|session| session.run.as_ref()) else { return };
        if run.said_all() {
            // Everything was said but the process does not end: its usage is the only thing that is missing.
            self.release(id);
            return self.conclude(id, None);
        }
        let message = format!("nothing came from the model for {} ms", run.ask.activity_timeout);
        self.fail(id, &Failure::of(Fault::Timeout, message));
    }

    /// Kills the process of a turn that needs it no more. Its place is free when it has ended.
    fn release(&mut self, id: SessionId) {
        let process = self.sessions.get(&id).and_then(|session| session.run.as_ref()).and_then(|run| run.process);
        if let Some(process) = process
            && let Some(owner) = self.processes.get_mut(&process)
        {
            *owner = None;
            self.port.out.push(SidecarEffect::Stop(process, StopMode::Kill).into());
        }
    }

    /// A turn failed while its process may still run.
    pub(super) fn fail(&mut self, id: SessionId, failure: &Failure) {
        self.release(id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(mut run) = session.run.take() else { return };
        match run.process {
            Some(_) => session.spoilt = true,
            // Nothing was started: the CLI has what it had.
            None => session.server = run.before.take(),
        }
        run.tell_unknown(&mut self.port);
        run.turn.fail(failure.error(), &mut self.port.out);
        self.waiting.retain(|waiting| *waiting != id);
    }
}

/// What becomes of the history.
fn told(plan: &Plan, spoilt: bool) -> (NoticeKind, &'static str) {
    match plan {
        Plan::Append { .. } => (NoticeKind::Continued, "the session has the conversation so far"),
        Plan::Create { reseeded: false, .. } => (NoticeKind::Opened, "a session was opened"),
        Plan::Create { .. } if spoilt => (
            NoticeKind::ReSeeded,
            "the conversation was put into a new session: the last turn left the session in doubt",
        ),
        Plan::Create { .. } => (
            NoticeKind::ReSeeded,
            "the conversation was put into a new session: the history is not the one the session has",
        ),
    }
}

/// What the host is asked to run. It checks every value and builds the arguments.
fn spec(name: &str, ask: &Ask, config: &Config) -> Spec {
    let mut settings = vec![("session-id", name.to_owned()), ("stream", "on".to_owned())];
    let mut add = |name, value: Option<String>| settings.extend(value.map(|value| (name, value)));
    add("model", ask.model.clone());
    add("reasoning-effort", ask.effort.clone());
    let secret = match &config.auth {
        Auth::Github(github) => Some((TOKEN_VARIABLE, github.token.clone())),
        Auth::Byok(byok) => {
            add("provider-base-url", Some(byok.base_url.clone()));
            add("provider-type", Some(byok.provider.name().to_owned()));
            add("provider-wire-api", byok.wire_api.map(|api| api.name().to_owned()));
            add("provider-api-version", byok.api_version.clone());
            let prompt_tokens = byok.max_prompt_tokens.unwrap_or(MAX_PROMPT_TOKENS);
            add("provider-max-prompt-tokens", Some(prompt_tokens.to_string()));
            add("provider-max-output-tokens", ask.max_output_tokens.map(|tokens| tokens.to_string()));
            byok.api_key.as_ref().map(|key| (KEY_VARIABLE, key.secret.clone()))
        }
    };
    Spec {
        name: SIDECAR.to_owned(),
        settings: settings.into_iter().map(|(name, value)| Setting { name: name.to_owned(), value }).collect(),
        secrets: secret
            .into_iter()
            .map(|(variable, name)| SecretVariable {
                name: variable.to_owned(),
                secret: SecretRef { name, encoding: SecretEncoding::Raw },
            })
            .collect(),
    }
}

impl Run {
    /// What the CLI had told of the conversation's cost before this turn.
    pub(super) fn reported(&self) -> llm_provider_guest::types::Usage {
        self.before.as_ref().map_or_else(Default::default, |Server { reported, .. }| *reported)
    }
}
