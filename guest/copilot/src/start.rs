//! From a turn's start to its prompt being out.

use crate::config::{Auth, Byok, HeaderValue};
use crate::connection::Link;
use crate::failure::Failure;
use crate::options::Options;
use crate::plugin::Copilot;
use crate::port::{Port, Purpose, Step};
use crate::reconcile::{self, Answers, Plan};
use crate::session::{Lost, Place, Run, Session, Stage};
use crate::wire::request;
use llm_provider_core::classify::Fault;
use llm_provider_core::digest::{Chain, Fields};
use llm_provider_core::rpc::Secret;
use llm_provider_core::turn::Turn;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::provider;
use llm_provider_guest::types::{Message, SessionId, TurnId};

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
            Link::Ready { .. } => {
                self.tell_direct(&[id]);
                self.open_way(id);
            }
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
        let nonce = || nonce(self.port.seed, asked.id, &asked.history);
        let way = reconcile::plan(&asked.history, session.server.as_ref(), options.print, nonce)?;
        let turn = Turn::new(asked.id, model.or_else(|| options.model.clone()));
        let lost = session.lost.take();
        tell(&turn, &way, lost, &mut self.port);
        let old = session.server.take();
        let (place, leave) = match (&way, old) {
            (Plan::Append(_) | Plan::Resume { .. } | Plan::Answer(_), Some(server)) => {
                (Place { name: server.name, durable: server.durable }, None)
            }
            (_, old) => (Place { name: session.next_name(self.port.seed), durable: true }, old),
        };
        session.run = Some(Run::new(turn, way, place, options, asked.history));
        self.idle_since = None;
        if let Some(old) = leave {
            self.leave(old);
        }
        Ok(())
    }

    /// Brings a waiting turn on its way. The CLI is ready.
    pub(crate) fn open_way(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(run) = &mut session.run else { return };
        self.names.insert(run.name.clone(), id);
        run.stage = Stage::Opening;
        match &run.way {
            Plan::Append(_) => send(id, run, &mut self.port),
            Plan::Resume { unload: true, .. } => {
                let named = request::Named { session_id: &run.name };
                let purpose = step(Step::Release, id, run.turn.id(), &run.name);
                self.port.request("session.destroy", named, purpose);
            }
            Plan::Answer(answers) if !answers.wake => answer(id, run, &mut self.port),
            Plan::Resume { unload: false, .. } | Plan::Answer(_) => open(id, run, Step::Resume, &mut self.port),
            Plan::Create { .. } => open(id, run, Step::Create, &mut self.port),
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
            Step::Configure if matches!(run.way, Plan::Answer(_)) => answer(id, run, &mut self.port),
            Step::Configure => send(id, run, &mut self.port),
            Step::Send => run.sent(message_id),
            Step::Steer => {}
            Step::Answer => run.sent(None),
        }
    }

    /// The server does not have the session that a turn was going to use (it was deleted, or its home was lost). Nothing
    /// has reached the model: the turn takes a new session with the whole conversation, once. False when it may not.
    pub(crate) fn fall_back(&mut self, id: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let Some(run) = &mut session.run else { return false };
        let shown = run.turn.reach();
        if run.fell_back || shown.output_seen || shown.tools_ran || matches!(run.way, Plan::Create { .. }) {
            return false;
        }
        run.fell_back = true;
        let waited = matches!(run.way, Plan::Answer(_));
        let Ok(old) = self.reseed(id, Lost::Forgotten) else { return false };
        if waited {
            self.abort(&old);
        } else {
            self.delete(old);
        }
        self.open_way(id);
        true
    }

    /// Puts a turn that has not reached the model into a new session with the whole conversation. Gives the old one's name.
    pub(crate) fn reseed(&mut self, id: SessionId, lost: Lost) -> Result<String, Failure> {
        let gone = || Failure::of(Fault::SessionLost, "the turn has no session");
        let seed = self.port.seed;
        let session = self.sessions.get_mut(&id).ok_or_else(gone)?;
        let name = session.next_name(seed);
        let run = session.run.as_mut().ok_or_else(gone)?;
        let way = reconcile::create(&run.messages, || nonce(seed, run.turn.id(), &run.messages))?;
        (run.way, run.stage, run.durable) = (way, Stage::Waiting, true);
        tell(&run.turn, &run.way, Some(lost), &mut self.port);
        Ok(std::mem::replace(&mut run.name, name))
    }
}

/// A word that nobody who spoke in the history could know.
fn nonce(seed: u64, turn: TurnId, history: &[Message]) -> String {
    let chain = Chain::default().extend(history);
    let fields = Fields::new("nonce").field(&seed.to_le_bytes()).field(&turn.to_le_bytes());
    fields.field(chain.digest().hex(32).as_bytes()).digest().hex(8)
}

/// Says what becomes of the history, where it is not the plain case.
fn tell(turn: &Turn, plan: &Plan, lost: Option<Lost>, port: &mut Port) {
    if lost == Some(Lost::Crash) {
        turn.notice(NoticeKind::Restarted, "the Copilot CLI had ended and is started again".to_owned(), &mut port.out);
    }
    let mut notice = |kind, message: &str| turn.notice(kind, message.to_owned(), &mut port.out);
    match plan {
        Plan::Create { reseeded: false, .. } => notice(NoticeKind::Opened, "a session was opened"),
        Plan::Append(_) => notice(NoticeKind::Continued, "the session goes on; only what is new was sent"),
        Plan::Answer(Answers { wake: false, .. }) => {
            notice(NoticeKind::Continued, "the session goes on with the results of the tools");
        }
        Plan::Answer(Answers { wake: true, .. }) => {
            notice(NoticeKind::Resumed, "the session is taken up again with the results of the tools");
        }
        Plan::Resume { unload: true, .. } => notice(NoticeKind::Resumed, "the session goes on with other options"),
        Plan::Resume { unload: false, .. } => {
            notice(
                NoticeKind::Resumed,
                "the session is taken up again; the Copilot CLI had nothing to do and was ended",
            );
        }
        Plan::Create { reseeded: true, .. } => {
            let why = match lost {
                Some(Lost::Crash) => "the Copilot CLI had ended",
                Some(Lost::Spoilt) => "the last turn left the session in doubt",
                Some(Lost::Forgotten) => "the Copilot CLI did not have the session any more",
                Some(Lost::Unkept) => "the Copilot CLI was ended and had not kept all of the session",
                None => "the history is not the one the session has",
            };
            notice(NoticeKind::ReSeeded, &format!("the conversation was put into a new session: {why}"));
        }
    }
}

fn step(step: Step, session: SessionId, turn: TurnId, name: &str) -> Purpose {
    Purpose::Step { step, session, turn, name: name.to_owned() }
}

/// Sends the prompt.
fn send(id: SessionId, run: &mut Run, port: &mut Port) {
    begin(run, port);
    let prompt = match &run.way {
        Plan::Append(prompt) | Plan::Resume { prompt, .. } | Plan::Create { prompt, .. } => prompt,
        Plan::Answer(answers) => &answers.more,
    };
    let params = request::Send {
        session_id: &run.name,
        prompt: &prompt.text,
        attachments: prompt.images.iter().map(request::Attachment::of).collect(),
        mode: None,
        response_format: run.options.output_schema.as_deref().map(request::ResponseFormat::json),
    };
    port.request("session.send", params, step(Step::Send, id, run.turn.id(), &run.name));
}

/// Hands the results of tools to the turn of the server that waits for them, and before them what the user says besides:
/// the CLI puts it behind the results.
fn answer(id: SessionId, run: &mut Run, port: &mut Port) {
    begin(run, port);
    let Plan::Answer(answers) = &run.way else { return };
    let answers = answers.clone();
    run.answering(&answers);
    if !answers.more.is_empty() {
        let params = request::Send {
            session_id: &run.name,
            prompt: &answers.more.text,
            attachments: answers.more.images.iter().map(request::Attachment::of).collect(),
            mode: Some("immediate"),
            response_format: None,
        };
        port.request("session.send", params, step(Step::Steer, id, run.turn.id(), &run.name));
    }
    for (request, result) in &answers.results {
        let purpose = step(Step::Answer, id, run.turn.id(), &run.name);
        port.answer_tool(&run.name, request, result, purpose);
    }
}

/// From here on the turn may reach the model.
fn begin(run: &mut Run, port: &mut Port) {
    run.stage = Stage::Sending;
    run.heard = port.now;
    run.turn.request_sent();
    run.turn.attempt(&mut port.out);
    run.arm(port);
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
        available_tools: available(options),
        tools: options
            .tools
            .iter()
            .map(|tool| request::Tool {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.parameters,
                skip_permission: true,
                overrides_built_in_tool: true,
            })
            .collect(),
        provider: match &config.auth {
            Auth::Github(_) => None,
            Auth::Byok(byok) => Some(provider(byok, options.max_output_tokens, port)),
        },
        working_directory: &working_directory,
        continue_pending_work: matches!(run.way, Plan::Answer(_)),
        fixed: request::FIXED,
    };
    let method = if which == Step::Resume { "session.resume" } else { "session.create" };
    port.request(method, params, step(which, id, run.turn.id(), &run.name));
}

/// The caller's tools, and those of the CLI's own that the policy turns on. Plain names: old versions know no others.
fn available(options: &Options) -> Vec<&str> {
    let own = options.provider_tools.iter().map(String::as_str);
    options.tools.iter().map(|tool| tool.name.as_str()).chain(own).collect()
}

/// What the CLI is told of a model's window when the configuration does not say. Left out, it assumes 128,000 tokens,
/// refuses what is larger and makes hidden model calls to shorten what comes near. The endpoint knows its own window, and
/// says so; the caller owns the history, and shortens it.
pub(crate) const MAX_PROMPT_TOKENS: u32 = 4_000_000;

fn provider<'a>(byok: &'a Byok, max_output_tokens: Option<u32>, port: &Port) -> request::Provider<'a> {
    let secret = |name: &str| match port.placeholder(name) {
        Some(placeholder) => request::Value::Text(placeholder.into()),
        None => request::Value::Secret(Secret(name.to_owned())),
    };
    request::Provider {
        kind: byok.provider.name(),
        base_url: &byok.base_url,
        wire_api: byok.wire_api.map(crate::config::WireApi::name),
        api_key: byok.api_key.as_ref().map(|key| secret(&key.secret)),
        headers: byok
            .headers
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    HeaderValue::Text(text) => request::Value::Text(text.into()),
                    HeaderValue::Secret(named) => secret(&named.secret),
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
