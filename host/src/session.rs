//! A conversation with a plugin.

use crate::bindings::exports::llm::provider::provider::{ReasoningEffort, Sampling, ToolChoice};
use crate::bindings::llm::provider::types::{Block, ImageSource, Message, Role, SessionId, TextBlock, ToolOwner};
use crate::error::{HostError, TurnError};
use crate::instance::{Instance, Toolbox};
use crate::retry::{Asked, Control, Driver, KnownTo, RetryPolicy};
use crate::tool::Tool;
use crate::turn::Turn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A question with everything that was said before it.
#[derive(Clone)]
pub struct TurnRequest {
    /// The whole conversation, ending with what is to be answered.
    pub history: Vec<Message>,
    /// The model; the configuration's default when absent.
    pub model: Option<String>,
    /// The system prompt.
    pub system: Option<String>,
    /// Tools offered to the model.
    pub tools: Vec<Arc<dyn Tool>>,
    /// Who runs them.
    pub tool_owner: ToolOwner,
    /// Whether the model may call them.
    pub tool_choice: ToolChoice,
    /// The most tokens of the answer.
    pub max_output_tokens: Option<u32>,
    /// How hard to think.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// How the model chooses its words.
    pub sampling: Sampling,
    /// Texts at which the model stops, none of them part of the answer.
    pub stop_sequences: Vec<String>,
    /// A JSON schema that the answer's text must follow.
    pub output_schema: Option<String>,
    /// Fails the turn when its provider is silent for so long; the configuration's figure when absent.
    pub activity_timeout: Option<Duration>,
    /// Fails the turn when it takes longer, all attempts and the waits between them included;
    /// [`crate::Limits::turn_deadline`] when absent.
    pub deadline: Option<Duration>,
    /// When a failure leads to another attempt. [`RetryPolicy::standard`], unless changed; an engine that has a retry loop
    /// of its own sets [`RetryPolicy::off`].
    pub retry: RetryPolicy,
    /// Gives up a tool that runs longer, and tells the model; [`crate::Limits::tool_deadline`] when absent.
    pub tool_deadline: Option<Duration>,
}

impl TurnRequest {
    /// A conversation, with everything else as configured.
    #[must_use]
    pub fn new(history: Vec<Message>) -> Self {
        Self {
            history,
            model: None,
            system: None,
            tools: Vec::new(),
            tool_owner: ToolOwner::Callback,
            tool_choice: ToolChoice::Auto,
            max_output_tokens: None,
            reasoning_effort: None,
            sampling: Sampling::default(),
            stop_sequences: Vec::new(),
            output_schema: None,
            activity_timeout: None,
            deadline: None,
            retry: RetryPolicy::standard(),
            tool_deadline: None,
        }
    }

    /// Bytes of everything a model reads.
    pub(crate) fn size(&self) -> usize {
        let blocks = self.history.iter().flat_map(|message| &message.blocks).map(block_size);
        let tools = self.tools.iter().map(|tool| tool.definition());
        let tools = tools.map(|tool| tool.name.len() + tool.description.len() + tool.parameters.len());
        blocks.chain(tools).sum::<usize>() + self.system.as_ref().map_or(0, String::len)
    }
}

fn block_size(block: &Block) -> usize {
    match block {
        Block::Text(text) => text.text.len(),
        Block::Thinking(thinking) => thinking.text.len() + thinking.signature.as_ref().map_or(0, String::len),
        Block::Image(image) => match &image.source {
            ImageSource::Data(data) => data.len(),
            ImageSource::Url(url) => url.len(),
        },
        Block::ToolCall(call) => call.arguments.len() + call.name.len(),
        Block::ToolResult(result) => result.content.len(),
    }
}

/// A message of the person, from text.
#[must_use]
pub fn user_message(text: impl Into<String>) -> Message {
    Message { role: Role::User, blocks: vec![Block::Text(TextBlock { text: text.into() })] }
}

/// The history a session keeps for simple callers.
pub(crate) type History = Arc<Mutex<Vec<Message>>>;

/// One conversation. Turns of a session run one at a time. Dropping it cancels its turn and lets the plugin forget it.
pub struct Session {
    instance: Instance,
    id: SessionId,
    history: History,
    known_to: Arc<KnownTo>,
    /// Its turns that somebody still holds: they end with it.
    turns: Mutex<Vec<Weak<Control>>>,
}

impl Session {
    pub(crate) fn new(instance: Instance, id: SessionId) -> Self {
        Self { instance, id, history: History::default(), known_to: Arc::default(), turns: Mutex::default() }
    }

    /// Asks, with the whole conversation in the request. The session's own history is neither used nor changed: callers
    /// that keep the conversation themselves use this.
    ///
    /// # Errors
    /// Before anything is sent: a conversation that is too large, a plugin that cannot be started, a provider that is left
    /// alone for now ([`RetryPolicy::breaker`]; the error says until when). What goes wrong later is the turn's last item.
    ///
    /// # Cancel safety
    /// Dropping the future asks nothing.
    pub async fn turn(&self, request: TurnRequest) -> Result<Turn, TurnError> {
        self.ask(request, None).await
    }

    /// Asks the next question of the conversation the session keeps. The question and its answer are added to it when the
    /// answer is complete; after a failure or a cancel it is as before.
    ///
    /// # Errors
    /// As [`Session::turn`].
    ///
    /// # Cancel safety
    /// Dropping the future asks nothing.
    pub async fn send(&self, prompt: impl Into<String>, options: TurnRequest) -> Result<Turn, TurnError> {
        self.send_message(user_message(prompt), options).await
    }

    /// As [`Session::send`], with a message of any blocks: images, or the results of tools where the last answer ended
    /// with calls.
    ///
    /// # Errors
    /// As [`Session::turn`].
    ///
    /// # Cancel safety
    /// Dropping the future asks nothing.
    pub async fn send_message(&self, message: Message, options: TurnRequest) -> Result<Turn, TurnError> {
        let mut request = options;
        request.history = self.history();
        request.history.push(message);
        self.ask(request, Some(Arc::clone(&self.history))).await
    }

    /// The conversation so far, as [`Session::send`] keeps it.
    #[must_use]
    pub fn history(&self) -> Vec<Message> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, request: TurnRequest, keep: Option<History>) -> Result<Turn, TurnError> {
        let shared = &self.instance.0;
        let (limits, policy) = (&shared.tenant.0.limits, &shared.tenant.0.policy);
        policy.permits_model(request.model.as_deref())?;
        request.tools.iter().try_for_each(|tool| policy.permits_tool(&tool.definition().name))?;
        let (observed, configured) = (request.size(), limits.prompt_bytes);
        if observed > configured {
            return Err(HostError::PromptTooLarge { configured, observed }.into());
        }
        let tools = Arc::new(Toolbox::new(&request, limits)?);
        let asked = Asked::new(self.instance.clone(), self.id, Arc::clone(&self.known_to), request, tools);
        let driver = Driver::start(asked, keep.is_some()).await?;
        let mut turns = self.turns();
        turns.retain(|turn| turn.strong_count() > 0);
        turns.push(Arc::downgrade(driver.control()));
        Ok(Turn::new(driver, keep))
    }

    fn turns(&self) -> MutexGuard<'_, Vec<Weak<Control>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for turn in self.turns().drain(..) {
            turn.upgrade().iter().for_each(|turn| turn.cancel());
        }
        self.known_to.close(self.id);
    }
}
