//! What makes a reasoning item more than its readable summary, as the opaque text that a thinking block carries.

use serde::{Deserialize, Serialize};

/// The item's own name and its encrypted form. Without the latter the service would look the item up, and nothing is
/// stored there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signature {
    pub(super) id: String,
    pub(super) encrypted_content: String,
}

impl Signature {
    pub(super) fn write(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// `None` for the signature of another provider.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_come_back_and_others_are_not_taken_for_ours() {
        let ours = Signature { id: "rs_1".into(), encrypted_content: "gAAA\"b".into() };
        assert_eq!(Signature::read(&ours.write().unwrap()), Some(ours));
        for foreign in
            ["", "EqQBCkYIARgCIkA=", "{}", "[]", r#"{"id":"a"}"#, r#"{"id":"a","encrypted_content":"b","c":1}"#]
        {
            assert_eq!(Signature::read(foreign), None, "{foreign}");
        }
    }
}
