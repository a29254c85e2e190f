//! From a turn's start to its prompt being out.

use crate::config::{Auth, Byok, HeaderValue};
use crate::connection::Link;
use crate::failure::Failure;
use crate::options::Options;
use crate::plugin::Copilot;
use crate::port::{Port, Purpose, Step};
use crate::reconcile::{self, Plan};
use crate::session::{Lost, Route, Run, Session, Stage};
use crate::wire::request;
use llm_provider_core::classify::Fault;
use llm_provider_core::digest::{Chain, Fields};
use llm_provider_core::rpc::Secret;
use llm_provider_core::turn::Turn;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::provider;
use llm_provider_guest::types::{SessionId, TurnId};

impl Copilot {
    /// Takes a question. Whatever is wrong with it ends it before anything is sent.
    pub(crate) fn start_turn(&mut self, asked: provider::Turn) {
        let turn = Turn::new(asked.id, asked.options.model.clone().or_else(|| self.port.config.model.clone()));
        let id = asked.session;
        if let Err(failure) = self.admit(asked) {
            turn.fail(failure.error(), &mut self.port.out);
            return;
        }
        match self.link {
            Link::Ready { .. } => self.open_way(id),
            _ => self.need_sidecar(),
        }
    }

    /// Checks a question, decides its way and puts it into its session.
    fn admit(&mut self, asked: provider::Turn) -> Result<(), Failure> {
        let Some(session) = self.sessions.get_mut(&asked.session) else {
            return Err(Failure::of(Fault::Invalid, "the session is not open"));
        };
        if session.run.is_some() {
            return Err(Failure::of(Fault::Invalid, "a turn is running in this session; one at a time"));
        }
        let model = asked.options.model.clone();
        let options = Options::check(asked.options, &self.port.config)?;
        let history = Chain::default().extend(&asked.history);
        let seed = self.port.seed;
        let nonce = || {
            let fields = Fields::new("nonce").field(&seed.to_le_bytes()).field(&asked.id.to_le_bytes());
            fields.field(history.digest().hex(32).as_bytes()).digest().hex(8)
        };
        let plan = reconcile::plan(&asked.history, session.server.as_ref(), options.print, nonce)?;
        let turn = Turn::new(asked.id, model.or_else(|| options.model.clone()));
        let lost = session.lost.take();
        tell(&turn, &plan, lost, &mut self.port);
        let (route, prompt) = match plan {
            Plan::Append { prompt } => (Route::Append, prompt),
            Plan::Resume { prompt } => (Route::Resume, prompt),
            Plan::Create { prompt, .. } => (Route::Create, prompt),
        };
        let old = session.server.take();
        let (name, leave) = match (route, old) {
            (Route::Append | Route::Resume, Some(server)) => (server.name, None),
            (_, old) => (session.next_name(seed), old.map(|server| server.name)),
        };
        session.run = Some(Run::new(turn, route, name, prompt, options, history));
        if let Some(name) = leave {
            self.destroy(&name);
        }
        Ok(())
    }

    /// Brings a waiting turn on its way. The CLI is ready.
    pub(crate) fn open_way(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(run) = &mut session.run else { return };
        self.names.insert(run.name.clone(), id);
        run.stage = Stage::Opening;
        match run.route {
            Route::Append => send(id, run, &mut self.port),
            Route::Resume => {
                let named = request::Named { session_id: &run.name };
                let purpose = step(Step::Release, id, run.turn.id(), &run.name);
                self.port.request("session.destroy", named, purpose);
            }
            Route::Create => open(id, run, Step::Create, &mut self.port),
        }
    }

    /// A step of a turn is done: the next.
    pub(crate) fn stepped(&mut self, done: Step, id: SessionId, message_id: Option<String>) {
        let Some(run) = self.sessions.get_mut(&id).and_then(|session| session.run.as_mut()) else { return };
        match done {
            Step::Release => open(id, run, Step::Resume, &mut self.port),
            Step::Create | Step::Resume => {
                let purpose = step(Step::Configure, id, run.turn.id(), &run.name);
                self.port.request("session.options.update", request::Options::bare(&run.name), purpose);
            }
            Step::Configure => send(id, run, &mut self.port),
            Step::Send => run.sent(message_id),
        }
    }
}

/// Says what becomes of the history, where it is not the plain case.
fn tell(turn: &Turn, plan: &Plan, lost: Option<Lost>, port: &mut Port) {
    if lost == Some(Lost::Crash) {
        turn.notice(NoticeKind::Restarted, "the Copilot CLI had ended and is started again".to_owned(), &mut port.out);
    }
    match plan {
        Plan::Append { .. } | Plan::Create { reseeded: false, .. } => {}
        Plan::Resume { .. } => {
            let message = "the session goes on with other options".to_owned();
            turn.notice(NoticeKind::Resumed, message, &mut port.out);
        }
        Plan::Create { reseeded: true, .. } => {
            let why = match lost {
                Some(Lost::Crash) => "the Copilot CLI had ended",
                Some(Lost::Spoilt) => "the last turn left the session in doubt",
                None => "the history is not the one the session has",
            };
            let message = format!("the conversation was put into a new session: {why}");
            turn.notice(NoticeKind::ReSeeded, message, &mut port.out);
        }
    }
}

fn step(step: Step, session: SessionId, turn: TurnId, name: &str) -> Purpose {
    Purpose::Step { step, session, turn, name: name.to_owned() }
}

/// Sends the prompt.
fn send(id: SessionId, run: &mut Run, port: &mut Port) {
    run.stage = Stage::Sending;
    run.heard = port.now;
    run.turn.request_sent();
    run.turn.attempt(&mut port.out);
    let prompt = std::mem::take(&mut run.prompt);
    let purpose = step(Step::Send, id, run.turn.id(), &run.name);
    port.request("session.send", request::Send { session_id: &run.name, prompt: &prompt }, purpose);
    if let Some(at) = run.deadline() {
        port.arm(at);
    }
}

/// Opens a session or takes it up again, with everything.
fn open(id: SessionId, run: &Run, which: Step, port: &mut Port) {
    let Some(working_directory) = port.peer.as_ref().map(|peer| peer.working_directory.clone()) else { return };
    let config = port.config.clone();
    let options = &run.options;
    let params = request::Session {
        session_id: &run.name,
        model: options.model.as_deref(),
        reasoning_effort: options.effort.as_deref(),
        system_message: request::SystemMessage::replace(&options.system),
        available_tools: options.tools.iter().map(|tool| tool.name.as_str()).collect(),
        tools: options
            .tools
            .iter()
            .map(|tool| request::Tool {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.parameters,
                skip_permission: true,
            })
            .collect(),
        provider: match &config.auth {
            Auth::Github(_) => None,
            Auth::Byok(byok) => Some(provider(byok, options.max_output_tokens)),
        },
        working_directory: &working_directory,
        fixed: request::FIXED,
    };
    let method = if which == Step::Resume { "session.resume" } else { "session.create" };
    port.request(method, params, step(which, id, run.turn.id(), &run.name));
}

/// What the CLI is told of a model's window when the configuration does not say. Left out, it assumes 128,000 tokens,
/// refuses what is larger and makes hidden model calls to shorten what comes near. The endpoint knows its own window, and
/// says so; the caller owns the history, and shortens it.
pub(crate) const MAX_PROMPT_TOKENS: u32 = 4_000_000;

fn provider(byok: &Byok, max_output_tokens: Option<u32>) -> request::Provider<'_> {
    request::Provider {
        kind: byok.provider.name(),
        base_url: &byok.base_url,
        wire_api: byok.wire_api.map(crate::config::WireApi::name),
        api_key: byok.api_key.as_ref().map(|key| Secret(key.secret.clone())),
        headers: byok
            .headers
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    HeaderValue::Text(text) => request::Value::Text(text),
                    HeaderValue::Secret(secret) => request::Value::Secret(Secret(secret.secret.clone())),
                };
                (name.as_str(), value)
            })
            .collect(),
        azure: byok.api_version.as_ref().map(|api_version| request::Azure { api_version }),
        max_prompt_tokens: byok.max_prompt_tokens.unwrap_or(MAX_PROMPT_TOKENS),
        max_output_tokens,
    }
}

/// Whether a session still runs the turn that a step belongs to.
pub(crate) fn runs(session: Option<&Session>, turn: TurnId, name: &str) -> bool {
    session.and_then(|session| session.run.as_ref()).is_some_and(|run| run.turn.id() == turn && run.name == name)
}
