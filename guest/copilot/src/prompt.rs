//! Prompts from messages: text, and images beside it.

use llm_provider_core::history::image_name;
use llm_provider_guest::types::{Block, ImageSource, Message};

/// What stands between two messages that go out as one prompt.
const BETWEEN: &str = "\n\n";

/// What goes out as one message of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) text: String,
    pub(crate) images: Vec<Image>,
}

/// An image beside the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) data: Vec<u8>,
}

impl Prompt {
    /// User messages as one prompt: all of them, in order. `before` is the conversation that stands before them, whose
    /// images were counted first.
    pub(crate) fn of(before: &[Message], messages: &[Message]) -> Self {
        Self {
            text: text(messages),
            images: images(before.iter().flat_map(|message| &message.blocks).filter(is_image).count(), messages),
        }
    }

    /// Only the images of a conversation, for a prompt whose text is its record.
    pub(crate) fn record(text: String, messages: &[Message]) -> Self {
        Self { text, images: images(0, messages) }
    }

    /// Whether there is nothing to answer in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.images.is_empty()
    }
}

fn is_image(block: &&Block) -> bool {
    matches!(block, Block::Image(_))
}

fn images(before: usize, messages: &[Message]) -> Vec<Image> {
    let blocks = messages.iter().flat_map(|message| &message.blocks).filter(is_image);
    let image = |(at, block): (usize, &Block)| match block {
        Block::Image(image) => match &image.source {
            ImageSource::Data(data) => Some(Image {
                name: image_name(before + at + 1, &image.media_type),
                media_type: image.media_type.clone(),
                data: data.clone(),
            }),
            ImageSource::Url(_) => None,
        },
        _ => None,
    };
    blocks.enumerate().filter_map(image).collect()
}

/// The text of user messages as one prompt: all of them, in order.
pub(crate) fn text(messages: &[Message]) -> String {
    let mut prompt = String::new();
    for message in messages {
        let before = prompt.len();
        if before > 0 {
            prompt.push_str(BETWEEN);
        }
        let start = prompt.len();
        message.blocks.iter().for_each(|block| {
            if let Block::Text(text) = block {
                prompt.push_str(&text.text);
            }
        });
        if prompt.len() == start {
            prompt.truncate(before);
        }
    }
    prompt
}
