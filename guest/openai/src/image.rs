//! Images as both APIs take them: an address, which may hold the image itself (RFC 2397).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llm_provider_guest::types::{ImageBlock, ImageSource};

/// The address of an image.
pub(crate) fn url(image: &ImageBlock) -> String {
    match &image.source {
        ImageSource::Url(url) => url.clone(),
        ImageSource::Data(bytes) => {
            let mut url = format!("data:{};base64,", image.media_type);
            STANDARD.encode_string(bytes, &mut url);
            url
        }
    }
}
