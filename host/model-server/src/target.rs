//! What a request's address asks for.

use hyper::Uri;

use crate::dialect::Dialect;

/// Where a request for an answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The body says which model, and whether to stream.
    Body(Dialect),
    /// Gemini's paths say both.
    Gemini { model: String, stream: bool },
}

impl Target {
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        match path {
            "/v1/chat/completions" => Some(Self::Body(Dialect::ChatCompletions)),
            "/v1/responses" => Some(Self::Body(Dialect::Responses)),
            "/v1/messages" => Some(Self::Body(Dialect::Anthropic)),
            _ => gemini(path),
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Body(dialect) => *dialect,
            Self::Gemini { .. } => Dialect::Gemini,
        }
    }
}

/// `models/NAME:METHOD`; a tuned model keeps the name of its collection, as the list of models has it.
fn gemini(path: &str) -> Option<Target> {
    let (resource, method) = path.strip_prefix("/v1beta/")?.rsplit_once(':')?;
    let stream = match method {
        "generateContent" => false,
        "streamGenerateContent" => true,
        _ => return None,
    };
    let model = match resource.split_once('/')? {
        ("models", name) => decoded(name),
        ("tunedModels", _) => decoded(resource),
        _ => return None,
    };
    Some(Target::Gemini { model, stream })
}

/// The value of a key in an address's query, the first if there are several.
pub(crate) fn query(uri: &Uri, key: &str) -> Option<String> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == key).map(|(_, value)| decoded(value)).next()
}

/// A part of an address with its percent signs undone. What is none of a percent sign's business stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let escaped = more.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(path: &str) -> Option<(String, bool)> {
        match Target::of_path(path)? {
            Target::Gemini { model, stream } => Some((model, stream)),
            Target::Body(_) => None,
        }
    }

    #[test]
    fn a_path_of_geminis_says_the_model_and_whether_to_stream() {
        for (path, expected) in [
            ("/v1beta/models/m:generateContent", Some(("m", false))),
            ("/v1beta/models/beta%2F2%3Afree:streamGenerateContent", Some(("beta/2:free", true))),
            ("/v1beta/tunedModels/mine:generateContent", Some(("tunedModels/mine", false))),
            ("/v1beta/models/m:countTokens", None),
            ("/v1beta/others/m:generateContent", None),
            ("/v1beta/models", None),
            ("/v1/models/m:generateContent", None),
        ] {
            assert_eq!(model(path), expected.map(|(model, stream)| (model.to_owned(), stream)), "{path}");
        }
    }

    #[test]
    fn every_dialect_has_its_own_path() {
        for dialect in Dialect::ALL {
            let path = dialect.path("m", false);
            assert_eq!(Target::of_path(&path).map(|target| target.dialect()), Some(dialect));
        }
        assert_eq!(Target::of_path("/v1/models"), None);
    }

    #[test]
    fn what_is_not_escaped_stays() {
        for (text, expected) in [("a%20b", "a b"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%C3%BC", "ü"), ("", "")] {
            assert_eq!(decoded(text), expected);
        }
    }

    #[test]
    fn a_query_is_read_by_key() {
        let uri: Uri = "/v1beta/models?pageSize=2&pageToken=a%3Db&pageSize=3".parse().unwrap();
        assert_eq!(query(&uri, "pageSize").as_deref(), Some("2"));
        assert_eq!(query(&uri, "pageToken").as_deref(), Some("a=b"));
        assert_eq!(query(&uri, "alt"), None);
    }
}
