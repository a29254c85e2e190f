//! What stands in a Rust file, as far as the checks ask.

use crate::tree::Source;
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One thing that stands in a file.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    /// The path, the name or the text.
    pub(crate) text: String,
    /// True inside of `#[cfg(test)]` and `#[test]`.
    pub(crate) test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A path or an import, with its segments.
    Path,
    /// The name of a method that is called.
    Method,
    /// The path of a macro that is called.
    Macro,
    /// `unsafe` in any form.
    Unsafe,
    /// `a[b]`.
    Index,
    /// The value of a string.
    Text,
    /// `async` or `.await`.
    Async,
    /// An attribute's path.
    Attribute,
    /// A function with this many lines.
    Function(usize),
}

/// Everything in a file. Broken Rust is the compiler's matter; here it is a panic with the path.
pub(crate) fn of(source: &Source) -> Vec<Fact> {
    let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path));
    let mut reader = Reader { facts: Vec::new(), tests: 0 };
    reader.visit_file(&file);
    reader.facts
}

struct Reader {
    facts: Vec<Fact>,
    tests: usize,
}

impl Reader {
    fn note(&mut self, span: proc_macro2::Span, kind: Kind, text: impl Into<String>) {
        self.facts.push(Fact { line: span.start().line, kind, text: text.into(), test: self.tests > 0 });
    }

    fn uses(&mut self, prefix: &str, tree: &syn::UseTree) {
        let join = |name: &syn::Ident| if prefix.is_empty() { name.to_string() } else { format!("{prefix}::{name}") };
        match tree {
            syn::UseTree::Path(path) => self.uses(&join(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.note(name.span(), Kind::Path, join(&name.ident)),
            syn::UseTree::Rename(name) => self.note(name.span(), Kind::Path, join(&name.ident)),
            syn::UseTree::Glob(glob) => self.note(glob.span(), Kind::Path, format!("{prefix}::*")),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.uses(prefix, tree)),
        }
    }

    /// The inside of a macro has no grammar of its own: paths, methods and texts are found by their shape.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut path = String::new();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(name) => {
                    let after_dot = at > 0 && is(&tokens[at - 1], '.');
                    let continued = path.ends_with("::");
                    path = if continued { format!("{path}{name}") } else { name.to_string() };
                    let (kind, text) =
                        if after_dot { (Kind::Method, name.to_string()) } else { (Kind::Path, path.clone()) };
                    match (kind, tokens.get(at + 1)) {
                        (Kind::Path, Some(next)) if is(next, '!') => self.note(name.span(), Kind::Macro, text),
                        (Kind::Path, Some(next)) if is(next, ':') => {}
                        _ => self.note(name.span(), kind, text),
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => path.push(':'),
                TokenTree::Group(group) => {
                    path.clear();
                    self.tokens(group.stream());
                }
                TokenTree::Literal(literal) => {
                    path.clear();
                    if let Ok(syn::Lit::Str(text)) = syn::parse_str(&literal.to_string()) {
                        self.note(literal.span(), Kind::Text, text.value());
                    }
                }
                TokenTree::Punct(_) => path.clear(),
            }
        }
    }

    fn within(&mut self, attributes: &[syn::Attribute], visit: impl FnOnce(&mut Self)) {
        let test = attributes.iter().any(is_test);
        self.tests += usize::from(test);
        visit(self);
        self.tests -= usize::from(test);
    }

    fn signature(&mut self, signature: &syn::Signature, whole: proc_macro2::Span) {
        let lines = whole.end().line + 1 - signature.span().start().line;
        self.note(signature.ident.span(), Kind::Function(lines), signature.ident.to_string());
        if let Some(word) = &signature.unsafety {
            self.note(word.span(), Kind::Unsafe, "unsafe fn");
        }
        if let Some(word) = &signature.asyncness {
            self.note(word.span(), Kind::Async, "async fn");
        }
    }
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn is_test(attribute: &syn::Attribute) -> bool {
    let path = path_text(attribute.path());
    let condition = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
    path == "test"
        || path.ends_with("::test")
        || (path == "cfg" && condition.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test"))
}

fn path_text(path: &syn::Path) -> String {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>().join("::")
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.within(&item.attrs, |reader| visit::visit_item_mod(reader, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(&item.attrs, |reader| {
            reader.signature(&item.sig, item.span());
            visit::visit_item_fn(reader, item);
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(&item.attrs, |reader| {
            reader.signature(&item.sig, item.span());
            visit::visit_impl_item_fn(reader, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.signature(&item.sig, item.span());
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let Some(word) = &item.unsafety {
            self.note(word.span(), Kind::Unsafe, "unsafe impl");
        }
        self.within(&item.attrs, |reader| visit::visit_item_impl(reader, item));
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.within(&item.attrs, |reader| reader.uses("", &item.tree));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(path.span(), Kind::Path, path_text(path));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.note(item.span(), Kind::Macro, path_text(&item.path));
        self.tokens(item.tokens.clone());
    }

    fn visit_attribute(&mut self, item: &'ast syn::Attribute) {
        let inside = item.meta.require_list().map(|list| format!("({})", list.tokens)).unwrap_or_default();
        self.note(item.span(), Kind::Attribute, path_text(item.path()) + &inside);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.note(call.method.span(), Kind::Method, call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_index(&mut self, index: &'ast syn::ExprIndex) {
        self.note(index.span(), Kind::Index, "indexing");
        visit::visit_expr_index(self, index);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.note(block.span(), Kind::Unsafe, "unsafe block");
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.note(block.span(), Kind::Async, "async block");
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_await(&mut self, expression: &'ast syn::ExprAwait) {
        self.note(expression.span(), Kind::Async, "await");
        visit::visit_expr_await(self, expression);
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.note(text.span(), Kind::Text, text.value());
    }
}

#[test]
fn test_code_is_told_apart_and_macros_are_looked_into() {
    let source = Source::sample(
        "x.rs",
        "fn a() { format!(\"{}\", std::env::var(\"A\").unwrap()); }\n#[cfg(test)]\nmod t { fn b() { c[0]; } }",
    );
    let facts = of(&source);
    let has = |kind, text: &str, test| facts.iter().any(|f| f.kind == kind && f.text == text && f.test == test);
    assert!(has(Kind::Path, "std::env::var", false), "{facts:?}");
    assert!(has(Kind::Method, "unwrap", false) && has(Kind::Macro, "format", false) && has(Kind::Text, "A", false));
    assert!(has(Kind::Index, "indexing", true) && has(Kind::Function(1), "b", true));
}
