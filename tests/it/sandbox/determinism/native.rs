//! The plugin's state machine without a sandbox, behind the host's types.

use llm_provider_copilot::{Copilot, Effect as Guest};
use llm_provider_guest as guest;
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{
    CatalogEffect, EventEffect, HttpEffect, LogEffect, PermissionEffect, SidecarEffect, TimerEffect, ToolEffect,
};
use llm_provider_host::wit::provider as host;
use llm_provider_host::{Block, Effect, Role};

pub(crate) struct Native(Copilot);

impl Native {
    pub(crate) fn new(config: &str, seed: u64) -> Self {
        let info = guest::secrets::SecretInfo { name: "key".into(), raw_length: 7, json_length: 8 };
        let setup = guest::provider::Setup { config: config.to_owned(), secrets: vec![info], seed };
        Self(Copilot::configure(setup).expect("a sound configuration"))
    }

    /// The effects as text: both sides derive it from the same world.
    pub(crate) fn handle(&mut self, now: u64, inputs: &[host::Input]) -> Vec<String> {
        let mut effects = Vec::new();
        self.0.handle(now, inputs.iter().map(input).collect(), &mut effects);
        effects.iter().map(guest_text).collect()
    }
}

fn guest_text(effect: &Guest) -> String {
    match effect {
        Guest::Event(EventEffect(turn, event)) => format!("event {turn} {event:?}"),
        Guest::Sidecar(SidecarEffect::Start(id, spec)) => format!("start {id} {spec:?}"),
        Guest::Sidecar(SidecarEffect::Send(id, data)) => format!("send {id} {data:?}"),
        Guest::Sidecar(SidecarEffect::CloseInput(id)) => format!("close {id}"),
        Guest::Sidecar(SidecarEffect::Stop(id, mode)) => format!("stop {id} {mode:?}"),
        Guest::Permission(PermissionEffect::Ask(turn, request)) => format!("permission {turn} {request:?}"),
        Guest::Catalog(CatalogEffect::Models(id, result)) => format!("models {id} {result:?}"),
        Guest::Catalog(CatalogEffect::Quota(id, result)) => format!("quota {id} {result:?}"),
        Guest::Timer(TimerEffect::Set(id, after)) => format!("set {id} {after}"),
        Guest::Timer(TimerEffect::Clear(id)) => format!("clear {id}"),
        Guest::Tool(ToolEffect::Invoke(turn, call)) => format!("invoke {turn} {call:?}"),
        Guest::Log(LogEffect(level, text)) => format!("log {level:?} {text}"),
        Guest::Http(HttpEffect::Send(id, request)) => format!("request {id} {request:?}"),
        Guest::Http(HttpEffect::Cancel(id)) => format!("give up {id}"),
    }
}

pub(crate) fn text_of(effect: &Effect) -> String {
    match effect {
        Effect::Event(turn, event) => format!("event {turn} {event:?}"),
        Effect::SidecarStart(id, spec) => format!("start {id} {spec:?}"),
        Effect::SidecarSend(id, data) => format!("send {id} {data:?}"),
        Effect::SidecarCloseInput(id) => format!("close {id}"),
        Effect::SidecarStop(id, mode) => format!("stop {id} {mode:?}"),
        Effect::PermissionAsk(turn, request) => format!("permission {turn} {request:?}"),
        Effect::CatalogModels(id, result) => format!("models {id} {result:?}"),
        Effect::CatalogQuota(id, result) => format!("quota {id} {result:?}"),
        Effect::TimerSet(id, after) => format!("set {id} {after}"),
        Effect::TimerClear(id) => format!("clear {id}"),
        Effect::ToolInvoke(turn, call) => format!("invoke {turn} {call:?}"),
        Effect::Log(level, text) => format!("log {level:?} {text}"),
        Effect::HttpSend(id, request) => format!("request {id} {request:?}"),
        Effect::HttpCancel(id) => format!("give up {id}"),
    }
}

/// The inputs that a played conversation has.
fn input(input: &host::Input) -> guest::provider::Input {
    use guest::provider::Input;
    match input {
        host::Input::OpenSession(id) => Input::OpenSession(*id),
        host::Input::CloseSession(id) => Input::CloseSession(*id),
        host::Input::StartTurn(asked) => Input::StartTurn(turn(asked)),
        host::Input::CancelTurn(id) => Input::CancelTurn(*id),
        host::Input::ToolResult(answer) => {
            let result = guest::types::ToolResult {
                call_id: answer.result.call_id.clone(),
                content: answer.result.content.clone(),
                is_error: answer.result.is_error,
            };
            Input::ToolResult(guest::provider::ToolAnswer { turn: answer.turn, result })
        }
        host::Input::SidecarStarted(start) => {
            let (version, working_directory) = (start.started.version.clone(), start.started.working_directory.clone());
            let started = guest::sidecar_types::Started { version, working_directory, ..Default::default() };
            Input::SidecarStarted(guest::provider::SidecarStart { id: start.id, started })
        }
        host::Input::SidecarOutput(bytes) => {
            Input::SidecarOutput(guest::provider::SidecarBytes { id: bytes.id, data: bytes.data.clone() })
        }
        host::Input::TimerFired(id) => Input::TimerFired(*id),
        host::Input::Shutdown => Input::Shutdown,
        other => panic!("the player does not give {other:?}"),
    }
}

fn turn(asked: &host::Turn) -> guest::provider::Turn {
    let tool = |tool: &llm_provider_host::wit::types::Tool| guest::types::Tool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: tool.parameters.clone(),
    };
    let options = guest::provider::TurnOptions {
        model: asked.options.model.clone(),
        system: asked.options.system.clone(),
        tools: asked.options.tools.iter().map(tool).collect(),
        tool_owner: guest::types::ToolOwner::Callback,
        max_output_tokens: asked.options.max_output_tokens,
        activity_timeout: asked.options.activity_timeout,
        ..Default::default()
    };
    let history = asked.history.iter().map(message).collect();
    guest::provider::Turn { session: asked.session, id: asked.id, history, options }
}

fn message(message: &llm_provider_host::Message) -> guest::types::Message {
    let role = match message.role {
        Role::User => guest::types::Role::User,
        Role::Assistant => guest::types::Role::Assistant,
    };
    guest::types::Message { role, blocks: message.blocks.iter().map(block).collect() }
}

fn block(block: &Block) -> guest::types::Block {
    match block {
        Block::Text(text) => guest::types::Block::Text(guest::types::TextBlock { text: text.text.clone() }),
        Block::Thinking(thinking) => guest::types::Block::Thinking(guest::types::ThinkingBlock {
            text: thinking.text.clone(),
            signature: thinking.signature.clone(),
        }),
        Block::ToolCall(call) => guest::types::Block::ToolCall(guest::types::ToolCall {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        }),
        other => panic!("the player does not make {other:?}"),
    }
}
