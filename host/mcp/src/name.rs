//! Names of servers and of their tools.

use crate::error::McpError;

/// Bytes of a server's name: half of what the services of models take, so that both halves can be read.
const SERVER_NAME: usize = 32;

fn fits(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// A server's name, as its owner gives it: not mended, since its owner can.
pub(crate) fn server(name: &str) -> Result<String, McpError> {
    if !name.is_empty() && name.len() <= SERVER_NAME && name.chars().all(fits) {
        Ok(name.to_owned())
    } else {
        Err(McpError::Name { name: name.chars().take(SERVER_NAME).collect(), most: SERVER_NAME })
    }
}

/// A tool's full name: what does not fit becomes `_`, what is too long is cut.
pub(crate) fn tool(server: &str, tool: &str, most: usize) -> String {
    let mended = tool.chars().map(|c| if fits(c) { c } else { '_' });
    format!("{server}-").chars().chain(mended).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_plain_names() {
        for name in ["a", "Files_2-x", &"a".repeat(SERVER_NAME)] {
            assert_eq!(server(name).expect(name), name);
        }
        for name in ["", "a b", "a.b", "é", "a/b", &"a".repeat(SERVER_NAME + 1)] {
            assert!(matches!(server(name), Err(McpError::Name { .. })), "{name}");
        }
    }

    #[test]
    fn s30_tools_are_named_after_their_server() {
        assert_eq!(tool("files", "read_file", 64), "files-read_file");
        assert_eq!(tool("files", "read.file/été", 64), "files-read_file__t_");
        assert_eq!(tool("files", &"x".repeat(100), 64).len(), 64);
    }
}
