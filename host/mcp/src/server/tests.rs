//! A connection to a server that a test scripts, line by line.

use super::*;
use llm_provider_host::{Secret, ToolContent};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::sync::mpsc;

/// What a scripted server does with a request.
enum Reply {
    /// Its result.
    Result(Value),
    /// These lines, before nothing else.
    Lines(Vec<String>),
    /// Nothing.
    Silence,
    /// It ends.
    Die,
}

type Script = Box<dyn FnMut(&str, &Value) -> Reply + Send>;

/// A scripted server; what it was told goes to `heard`.
async fn serve(stream: DuplexStream, heard: mpsc::Sender<Value>, mut script: Script) {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).expect("JSON");
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        drop(heard.send(message.clone()).await); // not every test listens
        let reply = match method.as_str() {
            "initialize" => Reply::Result(json!({
                "protocolVersion": "2025-06-18",
                "capabilities": { "tools": { "listChanged": true } },
                "serverInfo": { "name": "scripted", "version": "1" },
            })),
            _ if message["id"].is_null() => Reply::Silence,
            "" => script("", &message["id"]), // an answer to what it has asked
            method => script(method, &message["params"]),
        };
        let lines = match reply {
            Reply::Result(result) => vec![json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string()],
            Reply::Lines(lines) => lines,
            Reply::Silence => Vec::new(),
            Reply::Die => return,
        };
        for line in lines {
            if write.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                return; // the client has ended it
            }
        }
    }
}

/// A connection to a scripted server, and what the server hears.
async fn connect(limits: McpLimits, script: Script) -> (McpServer, mpsc::Receiver<Value>) {
    let (ours, theirs) = duplex(64 << 10);
    let (heard, hears) = mpsc::channel(1_000);
    tokio::spawn(serve(theirs, heard, script));
    let (read, write) = tokio::io::split(ours);
    let transport = AsyncRwTransport::new_client(read, write).with_max_line_length(limits.message_bytes);
    let service = begin("fake", transport, &limits).await.expect("a handshake");
    let mask = Mask::new([Secret::new("canary-7")].iter());
    let server = McpServer { name: "fake".into(), limits, mask, service, child: None };
    (server.ready().await.expect("ready"), hears)
}

fn listed(names: &[&str]) -> Value {
    let tool = |name: &&str| json!({"name": name, "inputSchema": {"type": "object"}});
    json!({ "tools": names.iter().map(tool).collect::<Vec<_>>() })
}

fn names(tools: &[Arc<dyn Tool>]) -> Vec<String> {
    tools.iter().map(|tool| tool.definition().name).collect()
}

/// One tool named `go`, whose call is answered by `call`.
fn one_tool(mut call: impl FnMut(&Value) -> Reply + Send + 'static) -> Script {
    Box::new(move |method, params| match method {
        "tools/list" => Reply::Result(listed(&["go"])),
        _ => call(params),
    })
}

async fn go(server: &McpServer) -> Result<String, String> {
    let tool = server.tools().await.expect("tools").remove(0);
    tool.call(json!({"a": 1})).await.map(ToolContent::render)
}

#[tokio::test]
async fn s30_a_tool_has_name_description_and_schema() {
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    let tool = json!({"name": "read.file", "description": "Reads canary-7. ".repeat(400), "inputSchema": schema});
    let script = move |_: &str, _: &Value| Reply::Result(json!({ "tools": [tool.clone()] }));
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    let definition = server.tools().await.expect("tools").remove(0).definition();
    assert_eq!(definition.name, "fake-read_file");
    assert!(definition.description.starts_with("Reads ******. "), "{}", definition.description);
    assert_eq!(definition.description.len(), server.limits.description_bytes + " ...".len());
    assert_eq!(serde_json::from_str::<Value>(&definition.parameters).expect("JSON"), schema);
    assert!(!format!("{server:?}").contains("canary"), "{server:?}");
}

#[tokio::test]
async fn s31_s32_a_call_gives_text_or_a_failure() {
    let script = one_tool(|params| {
        assert_eq!(params["name"], "go");
        assert_eq!(params["arguments"], json!({"a": 1}));
        Reply::Result(json!({"content": [{"type": "text", "text": "said canary-7"}]}))
    });
    let (server, _) = connect(McpLimits::default(), script).await;
    assert_eq!(go(&server).await.as_deref(), Ok("said ******"));
    let script = one_tool(|_| Reply::Result(json!({"content": [{"type": "text", "text": "no"}], "isError": true})));
    let (server, _) = connect(McpLimits::default(), script).await;
    assert_eq!(go(&server).await, Err("no".to_owned()));
    let tool = server.tools().await.expect("tools").remove(0);
    assert!(tool.call(json!([1])).await.expect_err("an object is needed").contains("are an object"));
}

#[tokio::test]
async fn a_listing_has_all_pages_and_ends() {
    let script = |_: &str, params: &Value| {
        let mut page = listed(&[]);
        match params["cursor"].as_str() {
            None => {
                page = listed(&["a", "b"]);
                page["nextCursor"] = "2".into();
            }
            Some("2") => page["nextCursor"] = "3".into(),
            Some(_) => page = listed(&["c"]),
        }
        Reply::Result(page)
    };
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    assert_eq!(names(&server.tools().await.expect("tools")), ["fake-a", "fake-b", "fake-c"]);
    let script = |_: &str, _: &Value| Reply::Result(json!({"tools": [], "nextCursor": "again"}));
    let (server, mut hears) = connect(McpLimits { pages: 5, ..McpLimits::default() }, Box::new(script)).await;
    let error = server.tools().await.err().expect("no end");
    assert!(matches!(error, McpError::Limit { limit: "pages", configured: 5, .. }), "{error:?}");
    let mut asked = 0;
    while let Ok(message) = hears.try_recv() {
        asked += usize::from(message["method"] == "tools/list");
    }
    assert_eq!(asked, 5);
}

#[tokio::test]
async fn tools_that_cannot_be_offered_are_refused() {
    let many: Vec<String> = (0..129).map(|n| n.to_string()).collect();
    let script = move |_: &str, _: &Value| Reply::Result(listed(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    let error = server.tools().await.err().expect("too many");
    assert!(matches!(error, McpError::Limit { limit: "tools", configured: 128, .. }), "{error:?}");
    let script = |_: &str, _: &Value| Reply::Result(listed(&["a.b", "c", "a_b"]));
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    let error = server.tools().await.err().expect("a collision").to_string();
    assert_eq!(error, "the tools `a.b` and `a_b` of the MCP server `fake` would both be named `fake-a_b`");
    let huge = json!({"name": "huge", "inputSchema": {"type": "object", "title": "x".repeat(65 << 10)}});
    let script = move |_: &str, _: &Value| Reply::Result(json!({"tools": [huge.clone()]}));
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    let error = server.tools().await.err().expect("too large");
    assert!(matches!(&error, McpError::Schema { tool, .. } if tool == "huge"), "{error:?}");
}

#[tokio::test]
async fn a_changed_list_is_seen_by_the_next_listing() {
    let current = Arc::new(Mutex::new(vec!["old"]));
    let script = {
        let current = Arc::clone(&current);
        move |_: &str, _: &Value| {
            let mut page = listed(&current.lock().expect("sound"));
            page["ttlMs"] = 3_600_000.into();
            Reply::Result(page)
        }
    };
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    assert_eq!(names(&server.tools().await.expect("tools")), ["fake-old"]);
    *current.lock().expect("sound") = vec!["new", "old"];
    // Also where the server's notification has not arrived yet, and where it says how long a list holds.
    assert_eq!(names(&server.tools().await.expect("tools")), ["fake-new", "fake-old"]);
}

#[tokio::test]
async fn a_server_that_dies_fails_its_calls_at_once() {
    let begin = Instant::now();
    let (server, _) = connect(McpLimits::default(), one_tool(|_| Reply::Die)).await;
    let tool = server.tools().await.expect("tools").remove(0);
    for _ in 0..2 {
        let reason = tool.call(json!({})).await.expect_err("it died");
        assert_eq!(reason, "the MCP server `fake` has ended");
    }
    let error = server.tools().await.err().expect("it died").to_string();
    assert!(error.contains("has ended"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_told() {
    let limits = McpLimits { call: Duration::from_millis(40), ..McpLimits::default() };
    let (server, mut hears) = connect(limits, one_tool(|_| Reply::Silence)).await;
    assert_eq!(go(&server).await, Err("the MCP server `fake` did not answer within 40ms".to_owned()));
    // As when the turn is cancelled: the future is dropped.
    let tool = server.tools().await.expect("tools").remove(0);
    assert!(tokio::time::timeout(Duration::from_millis(10), tool.call(json!({}))).await.is_err());
    let mut cancelled = 0;
    while cancelled < 2 {
        let message = tokio::time::timeout(Duration::from_secs(10), hears.recv()).await.expect("in time");
        cancelled += usize::from(message.expect("open")["method"] == "notifications/cancelled");
    }
    let limits = McpLimits { list: Duration::from_millis(40), ..McpLimits::default() };
    let (server, _) = connect(limits, Box::new(|_, _| Reply::Silence)).await;
    let error = server.tools().await.err().expect("no answer").to_string();
    assert!(error.contains("no answer within 40ms"), "{error}");
}

#[tokio::test]
async fn nonsense_and_messages_too_long_are_not_answers() {
    let long =
        json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "x".repeat(20_000)}]}});
    let lines = vec!["not JSON".to_owned(), "{}".to_owned(), "[]".to_owned(), long.to_string()];
    let limits = McpLimits { call: Duration::from_millis(100), message_bytes: 10_000, ..McpLimits::default() };
    let (server, _) = connect(limits, one_tool(move |_| Reply::Lines(lines.clone()))).await;
    let reason = go(&server).await.expect_err("no answer");
    assert!(reason.contains("did not answer within 100ms"), "{reason}");
    assert_eq!(names(&server.tools().await.expect("it goes on")), ["fake-go"]);
}

#[tokio::test]
async fn a_server_gets_nothing_from_us() {
    let ask = |id: u32, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}}).to_string();
    let methods = ["sampling/createMessage", "roots/list", "elicitation/create", "files/read"];
    let lines: Vec<String> = methods.iter().zip(100..).map(|(method, id)| ask(id, method)).collect();
    let limits = McpLimits { call: Duration::from_millis(300), ..McpLimits::default() };
    let (server, mut hears) = connect(limits, one_tool(move |_| Reply::Lines(lines.clone()))).await;
    let given_up = go(&server).await;
    assert!(given_up.is_err(), "{given_up:?}");
    while let Ok(message) = hears.try_recv() {
        if message["method"] == "initialize" {
            assert_eq!(message["params"]["capabilities"], json!({}));
        }
        if let Some(result) = message.get("result") {
            let nothing = [json!({"roots": []}), json!({"action": "decline"})];
            assert!(nothing.contains(result), "{message}");
        }
    }
}

/// A line of a server's own.
fn message(id: u64, method: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method}).to_string()
}

#[tokio::test]
async fn a_server_that_asks_and_never_reads_is_ended() {
    for method in ["ping", "roots/list", "files/read"] {
        let begin = Instant::now();
        // It writes all of it before it reads again: its own input is full of answers long before.
        let script = one_tool(move |_| Reply::Lines((0..200_000).map(|id| message(id, method)).collect()));
        let limits = McpLimits { call: Duration::from_secs(60), ..McpLimits::default() };
        let (server, _) = connect(limits, script).await;
        assert_eq!(go(&server).await, Err("the MCP server `fake` has ended".to_owned()), "{method}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{method}: {:?}", begin.elapsed());
        server.close().await;
    }
}

#[tokio::test]
async fn a_server_may_ask_for_ever_if_it_listens() {
    const FORGOTTEN: u64 = 5_000;
    let mut left = 300;
    let script = Box::new(move |method: &str, about: &Value| match method {
        "tools/list" => Reply::Result(listed(&["go"])),
        "" if about.as_u64() >= Some(FORGOTTEN) => Reply::Silence,
        // The call, or the answer to its last question.
        _ if left > 0 => {
            left -= 1;
            // What it does not want to know any more may be answered or not.
            let params = json!({ "requestId": left + FORGOTTEN });
            let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
            Reply::Lines(vec![message(left + FORGOTTEN, "ping"), cancel.to_string(), message(left, "ping")])
        }
        _ => Reply::Silence,
    });
    let limits = McpLimits { call: Duration::from_secs(2), ..McpLimits::default() };
    let (server, mut hears) = connect(limits, script).await;
    let given_up = go(&server).await.expect_err("it asks instead of an answer");
    assert!(given_up.contains("did not answer within"), "{given_up}");
    assert_eq!(names(&server.tools().await.expect("it goes on")), ["fake-go"]);
    let mut answers = 0;
    while let Ok(message) = hears.try_recv() {
        answers += usize::from(message.get("result").is_some());
    }
    assert!(answers >= 300, "{answers}");
}

#[tokio::test]
async fn names_and_schemas_are_masked() {
    let schema = json!({"type": "object", "properties": {"canary-7": {"default": "canary-7", "enum": ["x canary-7"]}}});
    let tools = json!([{"name": "get.canary-7", "inputSchema": schema}]);
    let script = move |_: &str, _: &Value| Reply::Result(json!({ "tools": tools.clone() }));
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    let definition = server.tools().await.expect("tools").remove(0).definition();
    assert_eq!(definition.name, "fake-get_______");
    let masked = json!({"type": "object", "properties": {"******": {"default": "******", "enum": ["x ******"]}}});
    assert_eq!(serde_json::from_str::<Value>(&definition.parameters).expect("JSON"), masked);
    let huge = json!({"name": "canary-7", "inputSchema": {"type": "object", "title": "x".repeat(65 << 10)}});
    let script = move |_: &str, _: &Value| Reply::Result(json!({"tools": [huge.clone()]}));
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    let error = server.tools().await.err().expect("too large");
    assert!(matches!(&error, McpError::Schema { tool, .. } if tool == "******"), "{error:?}");
    let script = |_: &str, _: &Value| Reply::Result(listed(&["canary-7.b", "canary-7_b"]));
    let (server, _) = connect(McpLimits::default(), Box::new(script)).await;
    let error = server.tools().await.err().expect("a collision").to_string();
    assert!(error.contains("`******.b` and `******_b`"), "{error}");
}

/// The last words are cut to their end, and a secret may lie where the cut is.
#[tokio::test]
async fn a_secret_that_is_cut_in_two_is_masked() {
    let shell =
        ["/bin/sh", "/usr/bin/sh"].into_iter().find(|path| std::path::Path::new(path).exists()).expect("a shell");
    let limits = McpLimits { reason_bytes: 21, ..McpLimits::default() };
    let spec = llm_provider_process::Spec::new(shell, "/").arg("-c").arg("echo \"no $KEY 0123456789\" >&2; exit 1");
    let program = Program::new(spec).secret("KEY", Secret::new("canary-0123456789"));
    let error = McpServer::stdio("words", program, limits).await.expect_err("no server").to_string();
    assert!(error.ends_with("it wrote: no ****** 0123456789"), "{error}");
}

#[test]
fn last_words_are_the_end() {
    assert_eq!(last(" \n", 10), "it wrote nothing to its standard error");
    assert_eq!(last("first\nlast é", 6), "it wrote: ast é");
    assert_eq!(last("é", 1), "it wrote nothing to its standard error");
}
