//! Where a request goes, as far as it must be told here: the host's policy decides, with a parser for URLs.

/// The origin of an http or https URL as `scheme://host:port`, in lower case and with its port. `None` for anything that
/// two parsers might read in two ways: user information, backslashes, white space, control characters.
pub(crate) fn of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let port = match scheme.as_str() {
        "http" => "80",
        "https" => "443",
        _ => return None,
    };
    if url.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    if authority.contains('@') {
        return None;
    }
    // The colons of an IPv6 address stand within brackets.
    let after_host = authority.rfind(']').map_or(0, |at| at + 1);
    let named = authority.get(after_host..).is_some_and(|tail| tail.contains(':'));
    let authority = authority.to_ascii_lowercase();
    match authority.strip_suffix(':') {
        Some(host) => Some(format!("{scheme}://{host}:{port}")),
        None if named => Some(format!("{scheme}://{authority}")),
        None => Some(format!("{scheme}://{authority}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_an_origin_are_one() {
        let origin = Some("https://model.example:443".to_owned());
        for url in [
            "https://model.example/v1",
            "HTTPS://Model.Example:443?x",
            "https://model.example#f",
            "https://model.example:/",
        ] {
            assert_eq!(of(url), origin, "{url}");
        }
        assert_eq!(of("http://[::1]:8080/v1").as_deref(), Some("http://[::1]:8080"));
        assert_eq!(of("http://[::1]/v1").as_deref(), Some("http://[::1]:80"));
    }

    #[test]
    fn others_are_others_and_the_ambiguous_are_none() {
        for url in
            ["http://model.example/", "https://model.example:444", "https://model.example.", "https://a.model.example"]
        {
            assert_ne!(of(url), of("https://model.example"), "{url}");
        }
        for url in [
            "https://model.example@evil.example/",
            "https://model.example\\@evil/",
            "https:///x",
            "ftp://x",
            "x",
            "https://a b",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    proptest! {
        /// What follows the origin does not change it.
        #[test]
        fn a_path_changes_nothing(path in "[/?#][a-z/?#:@]{0,20}") {
            prop_assert_eq!(of(&format!("https://h:1{path}")), Some("https://h:1".to_owned()));
        }

        #[test]
        fn any_text_is_taken(url in ".{0,40}") {
            let _ = of(&url);
        }
    }
}
