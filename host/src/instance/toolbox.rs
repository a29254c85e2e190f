//! The tools of a turn, and what the model may hand them.

use crate::bindings::llm::provider::types::ToolOwner;
use crate::error::HostError;
use crate::limits::Limits;
use crate::session::TurnRequest;
use crate::tool::{Tool, ToolOutput, cut};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The tools of a turn by name, with their schemas compiled.
pub(crate) struct Toolbox {
    pub(crate) owner: ToolOwner,
    /// How long each call may run.
    pub(crate) deadline: Duration,
    tools: BTreeMap<String, Arc<Offered>>,
}

/// A tool that is offered to the model in one turn.
pub(crate) struct Offered {
    name: String,
    tool: Arc<dyn Tool>,
    schema: Validator,
    /// Bytes of the words in which arguments are refused.
    refusal_bytes: usize,
}

impl Toolbox {
    /// Compiles the schemas of a turn's tools.
    ///
    /// # Errors
    /// A tool whose schema is none, or whose name another one has.
    pub(crate) fn new(request: &TurnRequest, limits: &Limits) -> Result<Self, HostError> {
        let mut tools = BTreeMap::new();
        for tool in &request.tools {
            let definition = tool.definition();
            let unusable = |reason: String| HostError::UnusableTool { tool: definition.name.clone(), reason };
            let schema = compile(&definition.parameters, limits).map_err(unusable)?;
            let (name, refusal_bytes) = (definition.name.clone(), limits.tool_refusal_bytes);
            let offered = Offered { name: name.clone(), tool: Arc::clone(tool), schema, refusal_bytes };
            if tools.insert(name, Arc::new(offered)).is_some() {
                return Err(unusable("another tool has this name".to_owned()));
            }
        }
        let deadline = request.tool_deadline.unwrap_or(limits.tool_deadline);
        Ok(Self { owner: request.tool_owner, deadline, tools })
    }

    /// The tool of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Offered>> {
        self.tools.get(name).cloned()
    }
}

impl Offered {
    /// Runs the tool with arguments that fit; says what is wrong with those that do not.
    pub(crate) async fn run(&self, arguments: &str) -> ToolOutput {
        let arguments = self.checked(arguments)?;
        self.tool.call(arguments).await
    }

    fn checked(&self, text: &str) -> Result<Value, String> {
        let value: Value = match text.trim() {
            "" | "null" => Value::Object(Map::new()),
            given => serde_json::from_str(given).map_err(|error| format!("the arguments are not JSON: {error}"))?,
        };
        self.misfit(&value).map_or(Ok(value), Err)
    }

    /// What is wrong, with as many details as the limit has room for.
    fn misfit(&self, value: &Value) -> Option<String> {
        let mut errors = self.schema.iter_errors(value).peekable();
        errors.peek()?;
        let mut reason = format!("the arguments do not fit the schema of `{}`: ", self.name);
        for (at, error) in errors.enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            reason.push_str(separator);
            reason.push_str(&one(&error));
            if reason.len() > self.refusal_bytes {
                cut(&mut reason, self.refusal_bytes);
                reason.push_str(" ...");
                break;
            }
        }
        Some(reason)
    }
}

fn one(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().as_str();
    if path.is_empty() { error.to_string() } else { format!("at {path}: {error}") }
}

/// Nothing is fetched: a reference to another document makes a schema invalid.
fn compile(schema: &str, limits: &Limits) -> Result<Validator, String> {
    let value: Value = serde_json::from_str(schema).map_err(|error| format!("its schema is not JSON: {error}"))?;
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(limits.tool_pattern_steps)
        .size_limit(limits.tool_pattern_bytes)
        .dfa_size_limit(limits.tool_pattern_bytes);
    let compiled = jsonschema::options().offline().with_pattern_options(patterns).build(&value);
    compiled.map_err(|error| {
        let mut reason = one(&error);
        cut(&mut reason, limits.tool_refusal_bytes);
        format!("its schema is not valid: {reason}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::llm::provider::types::Tool as Definition;
    use crate::tool::ToolFuture;
    use serde_json::json;
    use std::time::Instant;

    /// Gives its arguments back.
    struct Echo(Value);

    impl Tool for Echo {
        fn definition(&self) -> Definition {
            Definition { name: "echo".into(), description: String::new(), parameters: self.0.to_string() }
        }

        fn call(&self, arguments: Value) -> ToolFuture {
            Box::pin(async move { Ok(arguments.into()) })
        }
    }

    fn toolbox(schemas: &[Value]) -> Result<Toolbox, HostError> {
        let tools = schemas.iter().map(|schema| Arc::new(Echo(schema.clone())) as Arc<dyn Tool>).collect();
        Toolbox::new(&TurnRequest { tools, ..TurnRequest::new(Vec::new()) }, &Limits::default())
    }

    async fn run(schema: Value, arguments: &str) -> Result<String, String> {
        let echo = toolbox(&[schema]).expect("a schema").get("echo").expect("offered");
        echo.run(arguments).await.map(crate::ToolContent::render)
    }

    fn city() -> Value {
        json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": { "city": { "type": "string" }, "days": { "type": "integer", "maximum": 7 } },
            "required": ["city"],
            "additionalProperties": false,
        })
    }

    #[tokio::test]
    async fn s32_missing_arguments_are_an_empty_object() {
        for missing in ["", " \n", "null", "{}"] {
            assert_eq!(run(json!({"type": "object"}), missing).await.as_deref(), Ok("{}"), "{missing:?}");
        }
        let reason = run(city(), "").await.expect_err("a city is required");
        assert_eq!(reason, "the arguments do not fit the schema of `echo`: \"city\" is a required property");
    }

    #[tokio::test]
    async fn s32_arguments_that_do_not_fit_are_refused_with_path_and_reason() {
        let cases = [
            (r#"{"city": 3}"#, "at /city: 3 is not of type \"string\""),
            (r#"{"city": "Oslo", "days": 8}"#, "at /days: 8 is greater than the maximum of 7"),
            (r#"{"city": "Oslo", "unit": "K"}"#, "unit"),
            (r#"["Oslo"]"#, "[\"Oslo\"] is not of type \"object\""),
            (r#"{"city": "#, "the arguments are not JSON: EOF while parsing a value at line 1 column 8"),
            (r#"{"city": "Oslo"} {}"#, "the arguments are not JSON: trailing characters"),
        ];
        for (arguments, says) in cases {
            let reason = run(city(), arguments).await.expect_err(arguments);
            assert!(reason.contains(says), "{arguments}: {reason}");
        }
        assert_eq!(run(city(), r#" {"city": "Oslo"} "#).await.as_deref(), Ok(r#"{"city":"Oslo"}"#));
    }

    #[tokio::test]
    async fn a_refusal_is_short_however_long_the_arguments_are() {
        let many: Vec<Value> = (0..20_000).map(|number| json!(number)).collect();
        let schema =
            json!({ "properties": { "names": { "items": { "type": "string" } }, "one": { "type": "integer" } } });
        let most = Limits::default().tool_refusal_bytes + 4;
        for arguments in [json!({ "names": many }), json!({ "one": "x".repeat(1 << 20) })] {
            let reason = run(schema.clone(), &arguments.to_string()).await.expect_err("refused");
            assert!(reason.len() <= most && reason.ends_with(" ..."), "{} bytes", reason.len());
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(run(json!({}), &deep).await.expect_err("refused").contains("recursion limit"));
    }

    #[test]
    fn a_tool_that_cannot_be_used_is_named() {
        let cases = [
            (json!({"type": "objet"}), "its schema is not valid: at /type: "),
            (json!({"properties": {"a": {"pattern": "("}}}), "its schema is not valid: "),
            (json!({"$ref": "https://example.com/schema.json"}), "its schema is not valid: "),
            (json!({"$ref": "file:///etc/passwd"}), "its schema is not valid: "),
            (json!(7), "its schema is not valid: "),
        ];
        for (schema, says) in cases {
            let error = toolbox(std::slice::from_ref(&schema)).err().unwrap_or_else(|| panic!("{schema} is refused"));
            let HostError::UnusableTool { tool, reason } = error else { panic!("{error:?}") };
            assert_eq!(tool, "echo");
            assert!(reason.starts_with(says), "{schema}: {reason}");
        }
        let twice = toolbox(&[json!({}), json!({})]).err().expect("refused").to_string();
        assert_eq!(twice, "the tool `echo` cannot be offered: another tool has this name");
    }

    #[tokio::test]
    async fn schemas_that_refer_to_themselves_end() {
        for schema in [
            json!({ "$ref": "#" }),
            json!({ "allOf": [{ "$ref": "#" }] }),
            json!({ "properties": { "next": { "$ref": "#" } } }),
            json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
        ] {
            if let Ok(tools) = toolbox(std::slice::from_ref(&schema)) {
                let echo = tools.get("echo").expect("offered");
                println!("{schema}: {:?}", echo.run(r#"{"next": {"next": {}}}"#).await);
            }
        }
    }

    #[tokio::test]
    async fn a_pattern_that_explodes_is_given_up() {
        let schema = json!({ "properties": { "a": { "pattern": "^(?=a)(a+)+\\1$" } } });
        let begin = Instant::now();
        let arguments = json!({ "a": format!("{}b", "a".repeat(60)) }).to_string();
        assert!(run(schema, &arguments).await.is_err());
        println!("figure: given up after {:?}", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
}
