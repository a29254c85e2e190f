//! The custom section that says what a plugin is and wants, readable without running it.

/// The section's name; the host looks for the same.
const NAME: &str = "llm-provider:description";

/// Appends `description` (JSON text) to a finished component. Works on the output of any toolchain.
///
/// # Errors
/// When the description is not JSON or the bytes are not a component.
pub fn append_description(mut component: Vec<u8>, description: &[u8]) -> Result<Vec<u8>, String> {
    let json: serde_json::Value =
        serde_json::from_slice(description).map_err(|error| format!("the description is not JSON: {error}"))?;
    if !component.starts_with(b"\0asm\x0d\0\x01\0") {
        return Err("the binary is not a component".into());
    }
    let text = json.to_string();
    let mut body = Vec::new();
    leb128(&mut body, NAME.len());
    body.extend_from_slice(NAME.as_bytes());
    body.extend_from_slice(text.as_bytes());
    component.push(0); // a custom section
    leb128(&mut component, body.len());
    component.extend_from_slice(&body);
    Ok(component)
}

fn leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_length_takes_more_bytes() {
        let mut out = Vec::new();
        leb128(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
    }

    #[test]
    fn only_components_and_json_are_taken() {
        assert!(append_description(b"\0asm\x01\0\0\0".to_vec(), b"{}").is_err());
        assert!(append_description(b"\0asm\x0d\0\x01\0".to_vec(), b"{").is_err());
        let done = append_description(b"\0asm\x0d\0\x01\0".to_vec(), b"{ \"a\": 1 }").expect("valid");
        assert!(done.ends_with(b"llm-provider:description{\"a\":1}"));
    }
}
