//! The list of models. OpenAI tells names only; what others tell beyond that is taken where it is known.

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::Page;
use llm_provider_guest::catalog::Model;
use serde_json::Value;

/// Reads the list. The whole is one page.
pub(crate) fn read(body: &[u8]) -> Result<Page, Failure> {
    let body: Value = serde_json::from_slice(body).map_err(|error| broken(&error.to_string()))?;
    // Together sends the bare list.
    let list = body.get("data").unwrap_or(&body).as_array().ok_or_else(|| broken("there is no `data`"))?;
    Ok(Page { models: list.iter().filter_map(model).collect(), next: None })
}

fn model(model: &Value) -> Option<Model> {
    let text = |key: &str| model.get(key).and_then(Value::as_str).map(str::to_owned);
    let has = |list: &str, word: &str| {
        let words = model.pointer(list).and_then(Value::as_array)?;
        Some(words.iter().any(|entry| entry.as_str() == Some(word)))
    };
    let says = |path: &str| model.pointer(path).and_then(Value::as_bool);
    let parameter = |word: &str| has("/supported_parameters", word);
    let efforts = parameter("reasoning") == Some(true) || parameter("reasoning_effort") == Some(true);
    Some(Model {
        id: text("id").filter(|id| !id.is_empty())?,
        name: text("name").or_else(|| text("display_name")),
        // OpenRouter and Together, vLLM, Groq, Mistral and LM Studio.
        context_window: number(model, &["/context_length", "/max_model_len", "/context_window", "/max_context_length"]),
        max_output_tokens: number(model, &["/top_provider/max_completion_tokens", "/max_completion_tokens"]),
        images: has("/architecture/input_modalities", "image").or_else(|| says("/capabilities/vision")),
        tools: parameter("tools").or_else(|| says("/capabilities/function_calling")),
        reasoning_efforts: if efforts { EFFORTS.map(str::to_owned).to_vec() } else { Vec::new() },
        premium_multiplier: None,
    })
}

/// What a model takes of which is only said that it can be told.
const EFFORTS: [&str; 3] = ["low", "medium", "high"];

fn number(model: &Value, paths: &[&str]) -> Option<u64> {
    paths.iter().find_map(|path| model.pointer(path).and_then(Value::as_u64)).filter(|number| *number > 0)
}

fn broken(why: &str) -> Failure {
    Failure::of(Fault::Protocol, format!("the model's service sent a list of models that cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(json: &str) -> Model {
        read(format!(r#"{{"data":[{json}]}}"#).as_bytes()).unwrap().models.remove(0)
    }

    #[test]
    fn openai_says_the_name_and_nothing_else() {
        let got = one(r#"{"id":"gpt-5","object":"model","created":1,"owned_by":"openai"}"#);
        let want = Model {
            id: "gpt-5".into(),
            name: None,
            context_window: None,
            max_output_tokens: None,
            images: None,
            tools: None,
            reasoning_efforts: vec![],
            premium_multiplier: None,
        };
        assert_eq!(got, want);
    }

    #[test]
    fn others_say_more() {
        let got = one(r#"{"id":"a/b","name":"A: B","context_length":200000,
                "architecture":{"input_modalities":["text","image"]},
                "top_provider":{"context_length":200000,"max_completion_tokens":64000},
                "supported_parameters":["tools","reasoning","max_tokens"]}"#);
        assert_eq!((got.name.as_deref(), got.context_window), (Some("A: B"), Some(200_000)));
        assert_eq!((got.max_output_tokens, got.images, got.tools), (Some(64_000), Some(true), Some(true)));
        assert_eq!(got.reasoning_efforts, ["low", "medium", "high"]);
        let got = one(r#"{"id":"b","architecture":{"input_modalities":["text"]},"supported_parameters":[]}"#);
        assert_eq!((got.images, got.tools, got.reasoning_efforts.len()), (Some(false), Some(false), 0));
        assert_eq!(one(r#"{"id":"c","max_model_len":8192}"#).context_window, Some(8192));
        assert_eq!(one(r#"{"id":"d","context_window":4096,"max_completion_tokens":9}"#).max_output_tokens, Some(9));
        assert_eq!(one(r#"{"id":"e","capabilities":{"vision":true,"function_calling":false}}"#).tools, Some(false));
    }

    #[test]
    fn a_bare_list_is_taken_and_anything_else_is_not() {
        assert_eq!(read(br#"[{"id":"a"},{"id":""},{},7]"#).unwrap().models.len(), 1);
        for body in ["", "<html>", "{}", r#"{"data":{}}"#, "7"] {
            assert_eq!(read(body.as_bytes()).unwrap_err().fault, Fault::Protocol, "{body}");
        }
    }
}
