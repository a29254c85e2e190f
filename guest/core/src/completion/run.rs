//! A turn on its way: model calls, and rounds of tools between them.

use super::dialect::{Ask, Dialect, Reader};
use super::effect::Effect;
use super::reply::{CallNames, Ending, Reply, Told};
use super::{admit, fault, refusal};
use crate::classify::{Failure, Fault};
use crate::response::header;
use crate::turn::Turn;
use llm_provider_guest::effects::{HttpEffect, ToolEffect};
use llm_provider_guest::events::{BlockIndex, NoticeKind};
use llm_provider_guest::http_types::{self, RequestId, Response};
use llm_provider_guest::provider::ToolChoice;
use llm_provider_guest::types::{
    Block, FinishReason, Instant, Message, Milliseconds, Role, SessionId, ToolCall, ToolOwner, ToolResult,
};

/// Bytes kept of a response that is no answer: error bodies have some hundred.
const REFUSAL_KEPT: usize = 64 * 1024;

/// How long an endpoint may be silent once the model has stopped: nothing but the usage and the end is to come, and services
/// send both at once. Some never end the stream.
const LAST_WORDS: Milliseconds = 3_000;

/// A running turn.
#[derive(Debug)]
pub(super) struct Run<R> {
    pub(super) session: SessionId,
    pub(super) turn: Turn,
    ask: Ask,
    owner: ToolOwner,
    names: CallNames,
    stage: Stage<R>,
    /// How many model calls there were before this one.
    round: u32,
    /// The first block of this model call.
    first: BlockIndex,
    /// The provider's name for the last request.
    request_id: Option<String>,
    /// How many events of the earlier model calls were of unknown kinds.
    unknown: u32,
    /// How long the endpoint may be silent.
    timeout: Milliseconds,
    /// When it was last heard.
    heard: Instant,
}

/// Where a turn stands.
#[derive(Debug)]
enum Stage<R> {
    /// The request is under way.
    Asked(RequestId),
    /// The answer comes in.
    Answering(RequestId, Box<Reply<R>>),
    /// The response is no answer; its body says why.
    Refused(RequestId, Response, Vec<u8>),
    /// The host runs tools.
    Tools(Vec<(ToolCall, Option<ToolResult>)>),
    /// Nothing is under way: the turn is about to end.
    Done,
}

/// What a turn is to do.
pub(super) struct Asked {
    /// The first model call.
    pub(super) ask: Ask,
    /// Who runs its tools.
    pub(super) owner: ToolOwner,
    /// How long the endpoint may be silent.
    pub(super) timeout: Milliseconds,
}

/// What a turn needs while it takes a step.
pub(super) struct Step<'a, D> {
    pub(super) dialect: &'a D,
    pub(super) now: Instant,
    pub(super) seed: u64,
    pub(super) next_request: &'a mut RequestId,
    pub(super) out: &'a mut Vec<Effect>,
}

/// Whether a turn goes on.
#[derive(Debug)]
pub(super) enum Flow {
    /// It does.
    On,
    /// It was answered.
    Answered(FinishReason),
    /// It failed.
    Failed(Failure),
}

impl<R: Reader> Run<R> {
    /// A turn that has not asked anything yet.
    pub(super) fn new(session: SessionId, mut turn: Turn, asked: Asked) -> Self {
        let Asked { ask, owner, timeout } = asked;
        turn.set_model(ask.model.clone());
        let calls = ask.messages.iter().flat_map(|message| &message.blocks).filter_map(|block| match block {
            Block::ToolCall(call) => Some(call.id.clone()),
            _ => None,
        });
        let names = CallNames::new(calls);
        Self {
            session,
            turn,
            ask,
            owner,
            names,
            stage: Stage::Done,
            round: 0,
            first: 0,
            request_id: None,
            unknown: 0,
            timeout,
            heard: 0,
        }
    }

    /// The request under way.
    pub(super) fn request(&self) -> Option<RequestId> {
        match &self.stage {
            Stage::Asked(request) | Stage::Answering(request, _) | Stage::Refused(request, ..) => Some(*request),
            Stage::Tools(_) | Stage::Done => None,
        }
    }

    /// When the endpoint must have been heard again; never while tools run, which have a deadline of their own.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let stopped = matches!(&self.stage, Stage::Answering(_, reply) if reply.has_stopped());
        let timeout = if stopped { self.timeout.min(LAST_WORDS) } else { self.timeout };
        self.request().map(|_| self.heard.saturating_add(timeout))
    }

    /// Asks the model.
    pub(super) fn call<D: Dialect<Reader = R>>(&mut self, step: &mut Step<'_, D>) -> Flow {
        let request = match step.dialect.request(&self.ask) {
            Ok(request) => request,
            Err(failure) => return Flow::Failed(failure),
        };
        let id = *step.next_request;
        *step.next_request += 1;
        self.turn.attempt(step.out);
        self.first = self.turn.next_index();
        self.request_id = None;
        self.heard = step.now;
        self.stage = Stage::Asked(id);
        step.out.push(HttpEffect::Send(id, request).into());
        Flow::On
    }

    /// The head of the response.
    pub(super) fn head<D: Dialect<Reader = R>>(&mut self, response: Response, step: &mut Step<'_, D>) -> Flow {
        let Stage::Asked(request) = self.stage else { return Flow::On };
        self.heard = step.now;
        self.turn.request_sent();
        let name = step.dialect.request_id_header().and_then(|name| header(&response.headers, name));
        self.request_id = name.map(str::to_owned);
        if !(200..300).contains(&response.status) {
            self.stage = Stage::Refused(request, response, Vec::new());
            return Flow::On;
        }
        if fault::is_web_page(&response) {
            return Flow::Failed(fault::web_page());
        }
        let streamed = fault::media_type(&response) != "application/json";
        self.stage = Stage::Answering(request, Box::new(Reply::new(step.dialect.reader(&self.ask), streamed)));
        Flow::On
    }

    /// More of the body.
    pub(super) fn chunk<D: Dialect<Reader = R>>(&mut self, data: &[u8], step: &mut Step<'_, D>) -> Flow {
        self.heard = step.now;
        match &mut self.stage {
            Stage::Answering(_, reply) => {
                let mut told = Told { turn: &mut self.turn, names: &mut self.names, out: step.out };
                reply.push(data, &mut told).map_or_else(Flow::Failed, |()| Flow::On)
            }
            Stage::Refused(_, _, body) => {
                let room = REFUSAL_KEPT.saturating_sub(body.len());
                body.extend_from_slice(data.get(..room).unwrap_or(data));
                if body.len() < REFUSAL_KEPT {
                    return Flow::On;
                }
                self.give_up(step.out);
                self.refused(step)
            }
            Stage::Asked(_) | Stage::Tools(_) | Stage::Done => Flow::On,
        }
    }

    /// The body has ended.
    pub(super) fn end<D: Dialect<Reader = R>>(&mut self, step: &mut Step<'_, D>) -> Flow {
        if matches!(self.stage, Stage::Refused(..)) {
            return self.refused(step);
        }
        match self.close_reply(Ending::Told, step) {
            Ok(reason) => self.stopped(reason, step),
            Err(failure) => Flow::Failed(failure),
        }
    }

    /// The request failed.
    pub(super) fn broken<D: Dialect<Reader = R>>(
        &mut self,
        failure: &http_types::Failure,
        step: &mut Step<'_, D>,
    ) -> Flow {
        if failure.request_sent {
            self.turn.request_sent();
        }
        self.cut(fault::of(failure), step)
    }

    /// The endpoint was silent for too long.
    pub(super) fn silent<D: Dialect<Reader = R>>(&mut self, step: &mut Step<'_, D>) -> Flow {
        self.give_up(step.out);
        self.cut(fault::silent(self.timeout), step)
    }

    /// Closes the connection, if there is one. The request may have reached the model.
    fn give_up(&mut self, out: &mut Vec<Effect>) {
        if let Some(request) = self.request() {
            self.turn.request_sent();
            out.push(HttpEffect::Cancel(request).into());
        }
    }

    /// Nothing more comes, although the response has not ended. An answer that is complete is one all the same, and of a
    /// refusal the status says enough.
    fn cut<D: Dialect<Reader = R>>(&mut self, failure: Failure, step: &mut Step<'_, D>) -> Flow {
        if matches!(self.stage, Stage::Refused(..)) {
            return self.refused(step);
        }
        match self.close_reply(Ending::Cut, step) {
            Ok(reason) => self.stopped(reason, step),
            Err(_) => Flow::Failed(failure),
        }
    }

    fn refused<D: Dialect<Reader = R>>(&mut self, step: &mut Step<'_, D>) -> Flow {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Refused(_, response, body) => Flow::Failed(refusal::of(step.dialect, &response, &body)),
            _ => Flow::On,
        }
    }

    fn close_reply<D>(&mut self, ending: Ending, step: &mut Step<'_, D>) -> Result<FinishReason, Failure> {
        let Stage::Answering(_, mut reply) = std::mem::replace(&mut self.stage, Stage::Done) else {
            return Err(Failure::of(Fault::Protocol, "the endpoint ended an answer that had not begun"));
        };
        let mut told = Told { turn: &mut self.turn, names: &mut self.names, out: step.out };
        let done = reply.end(ending, &mut told);
        self.settle(*reply, step.out);
        done
    }

    /// Takes what a model call has told besides its blocks, and adds what it cost to the turn's sums.
    fn settle(&mut self, reply: Reply<R>, out: &mut Vec<Effect>) {
        self.unknown = self.unknown.saturating_add(reply.unknown);
        self.request_id = reply.name.or(self.request_id.take());
        if let Some(usage) = &reply.usage {
            self.turn.add_usage(usage, out);
        }
    }

    /// The model has stopped.
    fn stopped<D: Dialect<Reader = R>>(&mut self, reason: FinishReason, step: &mut Step<'_, D>) -> Flow {
        self.turn.close_all(step.out);
        let said: Vec<Block> = self.turn.blocks_from(self.first).into_iter().filter(admit::says_something).collect();
        let calls: Vec<ToolCall> = said.iter().filter_map(called).collect();
        let reason = match reason {
            FinishReason::ToolCalls if calls.is_empty() => FinishReason::Stop,
            reason => reason,
        };
        match (&reason, self.owner) {
            (FinishReason::ToolCalls, ToolOwner::Callback) => {
                self.ask.messages.push(Message { role: Role::Assistant, blocks: said });
                for call in &calls {
                    step.out.push(ToolEffect::Invoke(self.turn.id(), call.clone()).into());
                }
                self.turn.tools_ran();
                self.stage = Stage::Tools(calls.into_iter().map(|call| (call, None)).collect());
                Flow::On
            }
            // After results of tools there may be nothing to add; a question that gets no word back was not answered.
            (FinishReason::Stop, _) if said.is_empty() && self.round == 0 => {
                Flow::Failed(Failure::of(Fault::EmptyAnswer, "the model ended its answer without saying anything"))
            }
            _ => Flow::Answered(reason),
        }
    }

    /// A tool has answered. When all have, the model is called again.
    pub(super) fn tool_result<D: Dialect<Reader = R>>(&mut self, result: ToolResult, step: &mut Step<'_, D>) -> Flow {
        let Stage::Tools(calls) = &mut self.stage else { return Flow::On };
        let waiting = calls.iter_mut().find(|(call, answer)| call.id == result.call_id && answer.is_none());
        let Some((_, answer)) = waiting else { return Flow::On };
        self.turn.tool_answered(result.clone(), step.out);
        *answer = Some(result);
        if calls.iter().any(|(_, answer)| answer.is_none()) {
            return Flow::On;
        }
        let blocks = calls.drain(..).filter_map(|(_, answer)| answer).map(Block::ToolResult).collect();
        self.ask.messages.push(Message { role: Role::User, blocks });
        self.round = self.round.saturating_add(1);
        // What was forced has been done; forced again, the model could never answer.
        if matches!(self.ask.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
            self.ask.tool_choice = ToolChoice::Auto;
        }
        self.ask.key = admit::call_key(step.seed, self.turn.id(), self.round);
        self.call(step)
    }

    /// The turn's one last event.
    pub(super) fn finish(mut self, reason: FinishReason, out: &mut Vec<Effect>) {
        self.tell_unknown(out);
        self.turn.finish(reason, self.request_id.take(), out);
    }

    /// The turn's one last event. Nobody listens any more to a request that is under way.
    pub(super) fn fail(mut self, failure: Failure, out: &mut Vec<Effect>) {
        self.give_up(out);
        if let Stage::Answering(_, reply) = std::mem::replace(&mut self.stage, Stage::Done) {
            self.settle(*reply, out);
        }
        self.tell_unknown(out);
        let request_id = failure.request_id.clone().or(self.request_id.take());
        self.turn.fail(Failure { request_id, ..failure }.error(), out);
    }

    fn tell_unknown(&self, out: &mut Vec<Effect>) {
        if self.unknown > 0 {
            let message = format!("{} events of kinds unknown to this plugin were ignored", self.unknown);
            self.turn.notice(NoticeKind::UnknownEventIgnored, message, out);
        }
    }
}

fn called(block: &Block) -> Option<ToolCall> {
    match block {
        Block::ToolCall(call) => Some(call.clone()),
        _ => None,
    }
}
