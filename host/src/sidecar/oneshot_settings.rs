//! The settings of a one-shot run, each checked before it becomes an argument or a variable.

use std::collections::BTreeMap;

/// The longest value in bytes: the longest address that is in use. A longer model's name is none.
const LONGEST: usize = 2_048;

/// What may stand in a value.
enum Shape {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A UUID, in lower case.
    Uuid,
    /// A model's name: printable ASCII without blanks that does not look like a flag.
    Model,
    /// An http or https address: printable ASCII without blanks or quotes, and without a name and password in it.
    Address,
    /// Letters, digits, `.` and `-`.
    Version,
    /// A number of tokens.
    Tokens,
}

/// Where a value goes.
enum Place {
    Argument(&'static str),
    Variable(&'static str),
}

/// A setting that the entry knows.
struct Known {
    name: &'static str,
    shape: Shape,
    place: Place,
}

const fn known(name: &'static str, shape: Shape, place: Place) -> Known {
    Known { name, shape, place }
}

/// The name of the conversation.
const SESSION: &str = "session-id";
/// What makes it an endpoint of one's own.
const BASE_URL: &str = "provider-base-url";
/// What all settings of an endpoint begin with.
const PROVIDER: &str = "provider-";

const KNOWN: [Known; 10] = [
    known(SESSION, Shape::Uuid, Place::Argument("--session-id")),
    known("stream", Shape::OneOf(&["on", "off"]), Place::Argument("--stream")),
    known("model", Shape::Model, Place::Argument("--model")),
    known(
        "reasoning-effort",
        Shape::OneOf(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
        Place::Argument("--reasoning-effort"),
    ),
    known(BASE_URL, Shape::Address, Place::Variable("COPILOT_PROVIDER_BASE_URL")),
    known("provider-type", Shape::OneOf(&["openai", "azure", "anthropic"]), Place::Variable("COPILOT_PROVIDER_TYPE")),
    known(
        "provider-wire-api",
        Shape::OneOf(&["completions", "responses"]),
        Place::Variable("COPILOT_PROVIDER_WIRE_API"),
    ),
    known("provider-api-version", Shape::Version, Place::Variable("COPILOT_PROVIDER_AZURE_API_VERSION")),
    known("provider-max-prompt-tokens", Shape::Tokens, Place::Variable("COPILOT_PROVIDER_MAX_PROMPT_TOKENS")),
    known("provider-max-output-tokens", Shape::Tokens, Place::Variable("COPILOT_PROVIDER_MAX_OUTPUT_TOKENS")),
];

/// The settings of a run, all of them valid.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    session: &'a str,
    values: &'a BTreeMap<String, String>,
}

impl<'a> Settings<'a> {
    /// Takes a plugin's settings.
    ///
    /// # Errors
    /// Which setting is wrong and why, without its value: it may be long, or anything.
    pub(super) fn check(values: &'a BTreeMap<String, String>) -> Result<Self, String> {
        for (name, value) in values {
            let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
                return Err(format!(
                    "there is no setting `{}`",
                    name.chars().take(64).collect::<String>().escape_debug()
                ));
            };
            if value.len() > LONGEST || !known.shape.fits(value) {
                return Err(format!("the setting `{name}` must be {}", known.shape.told()));
            }
            if name.starts_with(PROVIDER) && !values.contains_key(BASE_URL) {
                return Err(format!("the setting `{name}` needs `{BASE_URL}`"));
            }
        }
        let session = values.get(SESSION).ok_or_else(|| format!("the setting `{SESSION}` is missing"))?;
        Ok(Self { session, values })
    }

    /// The name of the conversation.
    pub(super) fn session(&self) -> &str {
        self.session
    }

    /// Whether an endpoint of one's own is asked, not GitHub.
    pub(super) fn is_own_endpoint(&self) -> bool {
        self.values.contains_key(BASE_URL)
    }

    /// The arguments, each with its value in one piece: no value can be taken for a flag.
    pub(super) fn arguments(&self) -> Vec<String> {
        let argument = |known: &Known| match known.place {
            Place::Argument(flag) => Some(format!("{flag}={}", self.values.get(known.name)?)),
            Place::Variable(_) => None,
        };
        KNOWN.iter().filter_map(argument).collect()
    }

    /// The variables. With an endpoint of one's own nothing else is asked: no GitHub, no telemetry, no updates.
    pub(super) fn variables(&self) -> Vec<(&'static str, &str)> {
        let variable = |known: &Known| match known.place {
            Place::Variable(variable) => Some((variable, self.values.get(known.name)?.as_str())),
            Place::Argument(_) => None,
        };
        let offline = self.is_own_endpoint().then_some(("COPILOT_OFFLINE", "true"));
        KNOWN.iter().filter_map(variable).chain(offline).collect()
    }
}

impl Shape {
    fn fits(&self, value: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'`\\<>".contains(&byte);
        match self {
            Self::OneOf(words) => words.contains(&value),
            Self::Uuid => {
                value.len() == 36
                    && value.bytes().enumerate().all(|(at, byte)| match at {
                        8 | 13 | 18 | 23 => byte == b'-',
                        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                    })
            }
            Self::Model => !value.is_empty() && !value.starts_with('-') && value.bytes().all(plain),
            Self::Address => {
                let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
                let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
                !host.is_empty() && !host.contains('@') && value.bytes().all(plain)
            }
            Self::Version => {
                !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
            }
            Self::Tokens => value.parse::<u32>().is_ok_and(|tokens| tokens.to_string() == value),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Uuid => "a UUID in lower case".to_owned(),
            Self::Model => "the name of a model".to_owned(),
            Self::Address => "an http or https address without a user's name in it".to_owned(),
            Self::Version => "a version".to_owned(),
            Self::Tokens => "a number".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0cb916db-26aa-40f2-86b5-1ba81b225fd2";

    fn settings(more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let with = [(SESSION, UUID)].iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        with.collect()
    }

    fn refusal(name: &str, value: &str) -> String {
        let with =
            if name.starts_with(PROVIDER) { vec![(BASE_URL, "http://h"), (name, value)] } else { vec![(name, value)] };
        Settings::check(&settings(&with)).err().unwrap_or_default()
    }

    #[test]
    fn what_is_known_becomes_arguments_and_variables() {
        let values = settings(&[
            ("model", "vendor/model:7b"),
            ("stream", "on"),
            (BASE_URL, "http://127.0.0.1:9/v1"),
            ("provider-type", "openai"),
            ("provider-max-prompt-tokens", "4000000"),
        ]);
        let settings = Settings::check(&values).expect("valid");
        let session = format!("--session-id={UUID}");
        assert_eq!(settings.arguments(), [session.as_str(), "--stream=on", "--model=vendor/model:7b"]);
        let variables = settings.variables();
        assert_eq!(variables[0], ("COPILOT_PROVIDER_BASE_URL", "http://127.0.0.1:9/v1"));
        assert_eq!(variables.last(), Some(&("COPILOT_OFFLINE", "true")));
        assert!(settings.is_own_endpoint());
    }

    #[test]
    fn what_is_not_known_or_not_valid_is_refused() {
        for (name, value) in [
            ("allow-all-tools", "true"),
            ("prompt", "x"),
            ("", ""),
            (SESSION, "not-a-uuid"),
            (SESSION, "0CB916DB-26AA-40F2-86B5-1BA81B225FD2"),
            (SESSION, "../../../../etc/passwd-aaaaaaaaaaaaaa"),
            ("stream", "on --allow-all-tools"),
            ("model", "--allow-all-tools"),
            ("model", "a b"),
            ("model", "a\nb"),
            ("model", "a\0b"),
            ("model", ""),
            ("reasoning-effort", "very"),
            (BASE_URL, "file:///etc/passwd"),
            (BASE_URL, "http://"),
            (BASE_URL, "http://user:word@host/"),
            (BASE_URL, "http://h/\r\nX: y"),
            ("provider-type", "OpenAI"),
            ("provider-wire-api", "sockets"),
            ("provider-api-version", "2024 10"),
            ("provider-max-prompt-tokens", "+7"),
            ("provider-max-output-tokens", "-1"),
        ] {
            assert!(!refusal(name, value).is_empty(), "{name}={value}");
        }
        assert!(refusal("model", &"m".repeat(LONGEST + 1)).contains("`model`"));
        assert!(!refusal("model", "s3cret value").contains("s3cret"));
        let alone = settings(&[("provider-type", "openai")]);
        assert!(Settings::check(&alone).expect_err("no endpoint").contains(BASE_URL));
        assert!(Settings::check(&BTreeMap::new()).expect_err("no session").contains(SESSION));
    }
}
