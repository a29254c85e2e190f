//! What the model may use, and how the CLI runs.

use super::*;
use crate::config::{McpPlace, Permissions};
use llm_provider_host::PermissionKind;

#[test]
fn tools_of_the_cli_are_off_and_everything_is_denied_unless_the_file_says() {
    let (resolved, _) = fine(&[], "");
    assert!(resolved.tools.own.is_empty() && resolved.tools.servers.is_empty());
    assert_eq!(resolved.tools.permissions, Permissions::Deny);
    let (resolved, _) = fine(&[], "[tools]\ncopilot = [\"view\"]\npermissions = [\"read\", \"fetch\"]\n");
    assert_eq!(resolved.tools.own, ["view"]);
    let kinds = vec![PermissionKind::Read, PermissionKind::Fetch];
    assert_eq!(resolved.tools.permissions, Permissions::Allow(kinds));
    let (resolved, _) = fine(&[], "[tools]\npermissions = [\"ask\"]\n");
    assert_eq!(resolved.tools.permissions, Permissions::Ask);
    let (message, hint) = failing(&[], "[tools]\npermissions = [\"raed\"]\n");
    assert!(message.contains("unknown word `raed`") && hint.contains("read"), "{message}; {hint}");
    let (message, _) = failing(&[], "[tools]\ncopilot = \"view\"\n");
    assert!(message.contains("must be a list of texts"), "{message}");
}

#[test]
fn servers_are_programs_or_addresses_with_their_secrets_elsewhere() {
    let toml = "[mcp.files]\ncommand = \"server\"\nargs = [\"--root\", \"/x\"]\nenv = { A = \"1\" }\n\
        secret-env = { KEY = \"MY_KEY\" }\n[mcp.web]\nurl = \"https://example.com/mcp\"\n\
        secret-headers = { authorization = \"MY_KEY\" }\n";
    let (resolved, _) = fine(&[("MY_KEY", "hunter22")], toml);
    let [files, web] = &resolved.tools.servers[..] else { panic!("{}", resolved.tools.servers.len()) };
    assert_eq!((files.name.as_str(), web.name.as_str()), ("files", "web"));
    assert!(matches!(&files.place, McpPlace::Command { program, args, secret_env, .. }
        if program == "server" && args.len() == 2 && secret_env.len() == 1));
    assert!(matches!(&web.place, McpPlace::Url { secret_headers, .. } if secret_headers.len() == 1));
    for (toml, part) in [
        ("[mcp.x]\n", "either a `command`"),
        ("[mcp.x]\ncommand = \"a\"\nurl = \"https://b\"\n", "either a `command`"),
        ("[mcp.x]\nurl = \"https://b\"\nargs = [\"a\"]\n", "either a `command`"),
        (
            "[mcp.x]\ncommand = \"a\"\nenv = { T = \"ghp_0123456789012345678901234567890123456\" }\n",
            "would be a secret",
        ),
        ("[mcp.x]\ncommand = \"a\"\nsecret-env = { T = \"NOT_SET\" }\n", "NOT_SET"),
    ] {
        let (message, _) = failing(&[], toml);
        assert!(message.contains(part), "{message}");
    }
}

/// S09: exactly `true`.
#[test]
fn s09_legacy_by_its_variable_or_the_file() {
    for (variables, toml, legacy) in [
        (&[][..], "", false),
        (&[("GITHUB_COPILOT_LEGACY", "true")], "", true),
        (&[("GITHUB_COPILOT_LEGACY", "TRUE")], "", false),
        (&[("GITHUB_COPILOT_LEGACY", "1")], "", false),
        (&[], "[sidecar]\nlegacy = true\n", true),
        (&[("GITHUB_COPILOT_LEGACY", "true")], "[sidecar]\nlegacy = false\n", true),
    ] {
        assert_eq!(fine(variables, toml).0.legacy, legacy, "{variables:?} {toml}");
    }
}

#[test]
fn a_running_server_needs_an_address_and_a_directory() {
    let toml = "[sidecar]\nattach = \"127.0.0.1:3000\"\nattach-dir = \"/work\"\nattach-token-env = \"TOK\"\n";
    let attach = fine(&[("TOK", "secret-token")], toml).0.attach.unwrap();
    assert_eq!((attach.address.port(), attach.token.is_some()), (3000, true));
    for (toml, part) in [
        ("[sidecar]\nattach = \"localhost\"\nattach-dir = \"/x\"\n", "no address and port"),
        ("[sidecar]\nattach = \"127.0.0.1:1\"\n", "in which directory"),
        ("[sidecar]\nattach-dir = \"/x\"\n", "without `attach`"),
    ] {
        let (message, _) = failing(&[], toml);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn how_a_turn_is_asked() {
    let flags = Flags { effort: Some("high".into()), max_output_tokens: Some(9), ..Flags::default() };
    let toml = "reasoning-effort = \"low\"\nmax-output-tokens = 5\ntool-deadline = \"3s\"\n";
    let (resolved, _) = on(&flags, &[], toml).unwrap_or_else(|failure| panic!("{}", failure.message));
    assert_eq!((resolved.reasoning_effort.as_deref(), resolved.max_output_tokens), (Some("high"), Some(9)));
    let (resolved, _) = fine(&[("LLMP_REASONING_EFFORT", "medium")], toml);
    assert_eq!((resolved.reasoning_effort.as_deref(), resolved.max_output_tokens), (Some("medium"), Some(5)));
    assert_eq!(resolved.tool_deadline, Some(std::time::Duration::from_secs(3)));
}
