//! Tool calls while they come in fragments.
//!
//! OpenAI numbers them and sends id and name first. Others leave out the number or the id, send a call as one fragment,
//! or give several calls the same number; an id together with a name then tells where the next call begins.

use super::chunk::CallPart;
use llm_provider_core::completion::{BlockKey, Piece};
use llm_provider_core::turn::Kind;

#[derive(Debug, Default)]
pub(super) struct Calls {
    list: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    /// As the service gave it.
    id: Option<String>,
    block: Block,
}

#[derive(Debug)]
enum Block {
    /// The name is not known yet; arguments that came before it.
    Nameless(String),
    Open {
        key: BlockKey,
        has_arguments: bool,
    },
    Closed,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there is a call whose name has not come.
    pub(super) fn is_nameless(&self) -> bool {
        self.list.iter().any(|call| matches!(call.block, Block::Nameless(_)))
    }

    /// Takes a fragment. `next` is the key of the next block; `made` the beginning of ids for calls without one.
    pub(super) fn take(&mut self, part: CallPart, next: &mut BlockKey, made: &str, out: &mut Vec<Piece>) {
        let index = part.index;
        let (id, name, arguments) = part.take();
        let at = self.place(index, id.as_deref(), name.is_some()).unwrap_or_else(|| {
            self.list.push(Call { index, id: None, block: Block::Nameless(String::new()) });
            self.list.len().saturating_sub(1)
        });
        let Some(call) = self.list.get_mut(at) else { return };
        if call.id.is_none() {
            call.id = id;
        }
        if let (Block::Nameless(_), Some(name)) = (&call.block, name) {
            call.open(name, next, || format!("call_{made}_{at}"), out);
        }
        if let Some(arguments) = arguments {
            call.push(arguments, out);
        }
    }

    /// Which call a fragment belongs to; `None` for one that begins.
    fn place(&self, index: Option<u64>, id: Option<&str>, named: bool) -> Option<usize> {
        let at = match (index, id) {
            (Some(_), _) => self.list.iter().rposition(|call| call.index == index),
            (None, Some(id)) => self.list.iter().rposition(|call| call.id.as_deref() == Some(id)),
            (None, None) if named => None,
            (None, None) => self.list.len().checked_sub(1),
        }?;
        let call = self.list.get(at)?;
        let other_id = id.is_some() && call.id.is_some() && call.id.as_deref() != id;
        let another = named && other_id && !matches!(call.block, Block::Nameless(_));
        (!another).then_some(at)
    }

    /// Ends all calls.
    pub(super) fn close(&mut self, out: &mut Vec<Piece>) {
        for call in &mut self.list {
            if let Block::Open { key, has_arguments } = call.block {
                if !has_arguments {
                    // No text is no JSON; a call without arguments has an empty object.
                    out.push(Piece::Delta(key, "{}".to_owned()));
                }
                out.push(Piece::Close(key, None));
                call.block = Block::Closed;
            }
        }
    }
}

impl Call {
    fn open(&mut self, name: String, next: &mut BlockKey, made: impl FnOnce() -> String, out: &mut Vec<Piece>) {
        let key = *next;
        *next = next.saturating_add(1);
        let id = self.id.get_or_insert_with(made).clone();
        out.push(Piece::Open(key, Kind::ToolCall { id, name }));
        let open = Block::Open { key, has_arguments: false };
        if let Block::Nameless(early) = std::mem::replace(&mut self.block, open)
            && !early.is_empty()
        {
            self.push(early, out);
        }
    }

    fn push(&mut self, arguments: String, out: &mut Vec<Piece>) {
        match &mut self.block {
            Block::Nameless(early) => early.push_str(&arguments),
            Block::Open { key, has_arguments } => {
                *has_arguments = true;
                out.push(Piece::Delta(*key, arguments));
            }
            Block::Closed => {}
        }
    }
}
