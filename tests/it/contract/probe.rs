//! A tool that notes its calls and does what a test wants.

use llm_provider_host::wit::types::{Tool as Definition, ToolResult};
use llm_provider_host::{Block, Tool, ToolFuture, ToolOwner, TurnRequest, user_message};
use llmp_model_server::{Role, ToolCall};
use llmp_tests::rig::Rig;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Handler = Box<dyn Fn(Value) -> ToolFuture + Send + Sync>;

/// The tool `get_weather`.
pub(super) struct Probe {
    calls: Mutex<Vec<Value>>,
    handler: Handler,
}

impl Probe {
    pub(super) fn new(handler: impl Fn(Value) -> ToolFuture + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { calls: Mutex::default(), handler: Box::new(handler) })
    }

    /// It is sunny everywhere.
    pub(super) fn sunny() -> Arc<Self> {
        Self::new(|arguments| {
            Box::pin(async move { Ok(format!("sunny in {}", arguments["city"].as_str().unwrap_or("nowhere")).into()) })
        })
    }

    /// The caller runs it, so the host must not.
    pub(super) fn declared() -> Arc<Self> {
        Self::new(|_| panic!("B01: the host runs a tool that the caller owns"))
    }

    pub(super) fn calls(&self) -> Vec<Value> {
        self.calls.lock().expect("no panic inside").clone()
    }

    /// A question with this tool on offer.
    pub(super) fn request(self: &Arc<Self>, owner: ToolOwner) -> TurnRequest {
        let tool: Arc<dyn Tool> = Arc::<Self>::clone(self);
        let history = vec![user_message("what is it like?")];
        TurnRequest { tools: vec![tool], tool_owner: owner, ..llmp_tests::rig::once(history) }
    }
}

impl Tool for Probe {
    fn definition(&self) -> Definition {
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        let description = "The weather of a city.".to_owned();
        Definition { name: "get_weather".into(), description, parameters: parameters.to_string() }
    }

    fn call(&self, arguments: Value) -> ToolFuture {
        self.calls.lock().expect("no panic inside").push(arguments.clone());
        (self.handler)(arguments)
    }
}

/// The model's call of the tool.
pub(super) fn call(id: &str, city: &str) -> ToolCall {
    ToolCall::new(id, "get_weather", &json!({ "city": city }))
}

/// A tool's answer, as a caller that runs tools writes it.
pub(super) fn result(id: &str, content: &str) -> Block {
    Block::ToolResult(ToolResult { call_id: id.into(), content: content.into(), is_error: false })
}

/// The results in the model's last request, in order.
pub(super) fn results(rig: &Rig) -> Vec<(String, String)> {
    let tools = rig.last_request().messages().into_iter().filter(|message| message.role == Role::Tool);
    tools.map(|message| (message.answers.unwrap_or_default(), message.text)).collect()
}
