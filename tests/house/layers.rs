//! The layers of `core/src`: a file imports from lower layers and its own folder, and from the file that defines a name.
//! `cargo test -p bailiwick-tests --test house layers -- --nocapture` prints them.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree, token_stream::IntoIter};
use syn::{Attribute, Item, ItemMod, ItemUse, Lit, UseTree, Visibility, visit::Visit};

use crate::tidy::files;

/// From the ground up. Folders of one layer do not use each other.
const LAYERS: [&[&str]; 12] = [
    &["kernel"],
    &["ports"],
    &["http"],
    &["config", "domain"],
    &["auth"],
    &["access"],
    &["repository"],
    &["api", "delivery"],
    &["routes"],
    &["dispatch", "openapi"],
    // It uses the product from outside.
    &["seed"],
    &["lib"],
];

type Path = Vec<String>;

/// What a file says of others.
#[derive(Default)]
struct Source {
    /// Below `core/src`, without the ending.
    name: String,
    /// What it names, from the root of the crate.
    uses: BTreeSet<Path>,
    /// Names that lead elsewhere.
    shown: BTreeMap<String, Path>,
    /// The words of its code.
    words: BTreeSet<String>,
}

impl Source {
    fn read(name: &str, text: &str, modules: &BTreeSet<Path>) -> Self {
        let file = syn::parse_file(text).expect("Rust");
        let source = Self { name: name.to_owned(), ..Self::default() };
        let mut reader = Reader { place: module(name), modules, source };
        reader.visit_file(&file);
        for item in file.items.iter().filter(|item| !is_test(item)) {
            reader.tokens(quote::quote!(#item), Text::Code);
        }
        reader.source
    }

    fn folder(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

fn module(name: &str) -> Path {
    let name = name.strip_suffix("/mod").unwrap_or(name);
    if name == "lib" { Path::new() } else { name.split('/').map(str::to_owned).collect() }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(item: &Item) -> bool {
    attributes(item).iter().any(|attribute| {
        attribute
            .meta
            .require_list()
            .is_ok_and(|list| list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

/// Where tokens stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Code,
    /// Strings may be paths there, as in `#[serde(with = "crate::..")]`.
    Attribute,
    /// In a string of an attribute, which is no code of this file but for its paths.
    Quoted,
}

/// Reads the paths of the imports, and those of the rest.
struct Reader<'a> {
    /// The module that is read: that of the file, or one within it.
    place: Path,
    modules: &'a BTreeSet<Path>,
    source: Source,
}

impl Reader<'_> {
    fn tree(&mut self, shown: bool, mut path: Path, tree: &UseTree) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.tree(shown, path, &part.tree);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.tree(shown, path.clone(), tree));
            }
            UseTree::Name(name) => {
                if name.ident != "self" {
                    path.push(name.ident.to_string());
                }
                let name = path.last().cloned().unwrap_or_default();
                self.add(shown.then_some(name), &path);
            }
            UseTree::Rename(renamed) => {
                if renamed.ident != "self" {
                    path.push(renamed.ident.to_string());
                }
                self.add(shown.then(|| renamed.rename.to_string()), &path);
            }
            UseTree::Glob(_) => self.add(None, &path),
        }
    }

    fn add(&mut self, shown: Option<String>, path: &[String]) {
        let Some(path) = absolute(&self.place, path, self.modules) else { return };
        if let Some(name) = shown {
            self.source.shown.insert(name, path.clone());
        }
        self.source.uses.insert(path);
    }

    /// Reads the words, and the paths that begin with `crate`, `self` or `super`, wherever they stand: also within macros,
    /// of which syn reads no more than the tokens.
    fn tokens(&mut self, tokens: TokenStream, text: Text) {
        let mut tokens = tokens.into_iter().peekable();
        // `#`, and `mod` with its name: what the next group is depends on them.
        let (mut sign, mut named) = (false, None);
        while let Some(token) = tokens.next() {
            let (attribute, inline) = (std::mem::take(&mut sign), named.take());
            match token {
                TokenTree::Group(group) if attribute && group.delimiter() == Delimiter::Bracket => {
                    if !is_doc(&group) {
                        self.tokens(group.stream(), Text::Attribute);
                    }
                }
                TokenTree::Group(group) => {
                    let within = inline.filter(|_| group.delimiter() == Delimiter::Brace);
                    let depth = self.place.len();
                    self.place.extend(within);
                    self.tokens(group.stream(), text);
                    self.place.truncate(depth);
                }
                TokenTree::Ident(ident) => {
                    if ident == "mod"
                        && let Some(TokenTree::Ident(name)) = tokens.peek()
                    {
                        named = Some(name.to_string());
                        tokens.next();
                    }
                    if text != Text::Quoted {
                        self.source.words.insert(ident.to_string());
                    }
                    if ident == "crate" || ident == "self" || ident == "super" {
                        self.rest_of_path(vec![ident.to_string()], &mut tokens, text);
                    }
                }
                // `#!` begins an attribute, too.
                TokenTree::Punct(punct) => {
                    sign = punct.as_char() == '#' || attribute && punct.as_char() == '!';
                }
                TokenTree::Literal(literal) if text == Text::Attribute => {
                    if let Lit::Str(string) = Lit::new(literal)
                        && let Ok(tokens) = string.value().parse()
                    {
                        self.tokens(tokens, Text::Quoted);
                    }
                }
                TokenTree::Literal(_) => {}
            }
        }
    }

    /// What follows the beginning of a path; with a group of names if it is an import within a macro.
    fn rest_of_path(&mut self, mut path: Path, tokens: &mut Peekable<IntoIter>, text: Text) {
        let colon = |next: &TokenTree| matches!(next, TokenTree::Punct(punct) if punct.as_char() == ':');
        while tokens.next_if(colon).is_some() {
            match tokens.peek() {
                Some(TokenTree::Ident(part)) => {
                    if text != Text::Quoted {
                        self.source.words.insert(part.to_string());
                    }
                    path.push(part.to_string());
                    tokens.next();
                }
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    let mut names = group.stream().into_iter().peekable();
                    tokens.next();
                    while let Some(name) = names.next() {
                        match name {
                            TokenTree::Ident(word) if word == "as" => drop(names.next()),
                            TokenTree::Ident(name) => {
                                let below = if name == "self" { vec![] } else { vec![name.to_string()] };
                                self.rest_of_path([&path[..], &below].concat(), &mut names, text);
                            }
                            TokenTree::Punct(punct) if punct.as_char() == '*' => self.add(None, &path),
                            _ => {}
                        }
                    }
                    return;
                }
                Some(TokenTree::Punct(all)) if all.as_char() == '*' => drop(tokens.next()),
                _ => {}
            }
        }
        // By themselves these are a visibility, a receiver, or a module that names nothing.
        if path.iter().any(|part| !["crate", "self", "super"].contains(&part.as_str())) {
            self.add(None, &path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(item) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.place.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.place.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(!matches!(item.vis, Visibility::Inherited), Path::new(), &item.tree);
    }
}

/// A path from the root of the crate, if it is one of the crate.
fn absolute(place: &[String], path: &[String], modules: &BTreeSet<Path>) -> Option<Path> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (mut from, rest) = match path.first()?.as_str() {
        "crate" => (Path::new(), &path[1..]),
        "self" => (place.to_vec(), &path[1..]),
        "super" => (place[..place.len().checked_sub(ups)?].to_vec(), &path[ups..]),
        first => {
            let below = [place, &[first.to_owned()]].concat();
            if !modules.contains(&below) {
                return None;
            }
            (place.to_vec(), path)
        }
    };
    from.extend_from_slice(rest);
    Some(from)
}

fn is_doc(attribute: &Group) -> bool {
    matches!(attribute.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
}

struct House {
    sources: BTreeMap<Path, Source>,
}

impl House {
    fn read() -> Self {
        let texts: Vec<_> = files("core/src", ".rs")
            .into_iter()
            .map(|(path, text)| {
                (path.trim_start_matches("core/src/").trim_end_matches(".rs").to_owned(), text)
            })
            .filter(|(name, _)| !name.ends_with("/tests"))
            .collect();
        let modules: BTreeSet<_> = texts.iter().map(|(name, _)| module(name)).collect();
        let read = |(name, text): &(String, String)| (module(name), Source::read(name, text, &modules));
        Self { sources: texts.iter().map(read).collect() }
    }

    /// The file that a path leads to, and whether it is the one that defines what is named.
    fn find(&self, path: &[String]) -> Option<(&Source, bool)> {
        let (length, source) =
            (0..=path.len()).rev().find_map(|length| Some((length, self.sources.get(&path[..length])?)))?;
        match path.get(length).and_then(|name| source.shown.get(name)) {
            Some(elsewhere) if elsewhere[..] != path[..=length] => {
                self.find(elsewhere).map(|(found, _)| (found, false))
            }
            _ => Some((source, true)),
        }
    }
}

fn layer(folder: &str) -> usize {
    let found = LAYERS.iter().position(|folders| folders.contains(&folder));
    found.unwrap_or_else(|| panic!("{folder} has no layer: say in tests/house/layers.rs where it stands"))
}

#[test]
fn files_import_from_lower_layers_and_from_where_a_name_is_defined() {
    let house = House::read();
    let (mut faults, mut used) = (Vec::new(), BTreeMap::<&str, BTreeSet<&str>>::new());
    for source in house.sources.values() {
        for path in &source.uses {
            let Some((found, defines)) = house.find(path) else { continue };
            let (from, to) = (source.folder(), found.folder());
            let path = path.join("::");
            if from == to {
                continue;
            }
            used.entry(from).or_default().insert(to);
            if layer(to) >= layer(from) {
                faults.push(format!("{} imports {path}, which is not below it", source.name));
            }
            if !defines && from != "lib" {
                faults.push(format!("{} imports {path}, which is defined in {}", source.name, found.name));
            }
        }
    }
    for (number, folders) in LAYERS.iter().enumerate().rev() {
        for folder in *folders {
            let below = used.get(folder).into_iter().flatten().copied().collect::<Vec<_>>().join(" ");
            let count = house.sources.values().filter(|source| source.folder() == *folder).count();
            assert!(count > 0, "{folder} is empty");
            eprintln!("{:>2}  {folder:<10}  {count:>2} files  uses {below}", number + 1);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_ground_floor_and_the_rules_wait_for_nothing() {
    for source in
        House::read().sources.values().filter(|source| ["kernel", "domain"].contains(&source.folder()))
    {
        for word in ["async", "await", "Future"] {
            assert!(!source.words.contains(word), "{} has the word {word}", source.name);
        }
    }
}

#[test]
fn only_the_table_names_both_an_access_rule_and_a_handler() {
    let house = House::read();
    let names = |source: &Source, prefix: &[&str]| {
        source
            .uses
            .iter()
            .any(|path| path.len() >= prefix.len() && path.iter().zip(prefix).all(|(one, two)| one == two))
    };
    let both: Vec<_> = house
        .sources
        .values()
        .filter(|source| names(source, &["access", "rule"]) && names(source, &["api", "handlers"]))
        .map(|source| source.name.as_str())
        .collect();
    assert_eq!(both, ["routes"]);
}

/// What a file of this text, at `api/reply.rs`, names.
fn named(text: &str) -> Vec<String> {
    let modules = ["lib", "api", "api/reply", "kernel"].map(module);
    let source = Source::read("api/reply", text, &modules.into());
    source.uses.iter().map(|path| path.join("::")).collect()
}

#[test]
fn paths_in_code_are_seen() {
    assert_eq!(
        named("use crate::kernel::{self, json::{A, B as C}};"),
        ["kernel", "kernel::json::A", "kernel::json::B"]
    );
    assert_eq!(
        named("fn one(a: super::input::A) -> crate::kernel::B { crate::routes::c() }"),
        ["api::input::A", "kernel::B", "routes::c"]
    );
    assert_eq!(named("pub(crate) fn one(&self) {} pub(super) struct B;"), [""; 0]);
}

#[test]
fn paths_in_strings_of_attributes_are_seen() {
    for attribute in [
        "serde(with = \"crate::kernel::json\")",
        "serde(deserialize_with = \"crate::kernel::json\")",
        "serde(skip_serializing_if = \"super::super::kernel::json\")",
        "cfg_attr(feature = \"openapi\", schemars(schema_with = \"crate::kernel::json\"))",
        "serde(bound = \"T: crate::kernel::json\")",
    ] {
        assert_eq!(named(&format!("struct A {{ #[{attribute}] a: u8 }}")), ["kernel::json"], "{attribute}");
        assert_eq!(
            named(&format!("record! {{ A {{ #[{attribute}] a: u8 }} }}")),
            ["kernel::json"],
            "{attribute}"
        );
    }
    assert_eq!(named("/// crate::kernel::json\nconst A: &str = \"crate::kernel::json\";"), [""; 0]);
}

#[test]
fn paths_within_macros_are_seen() {
    assert_eq!(named("id!(A, crate::kernel::B, [super::input::C]);"), ["api::input::C", "kernel::B"]);
    assert_eq!(
        named("macro_rules! a { () => { $crate::kernel::B::new(crate::routes::C) } }"),
        ["kernel::B::new", "routes::C"]
    );
    assert_eq!(named("fn a() { vec![format!(\"{}\", super::super::routes::b())]; }"), ["routes::b"]);
    assert_eq!(named("a! { use crate::{kernel::{self, B}, routes::*}; }"), ["kernel", "kernel::B", "routes"]);
}

#[test]
fn paths_of_modules_within_a_file_are_seen() {
    let within =
        "mod a { use super::super::input::A; mod b { fn c() { super::super::super::super::routes::d() } } }";
    assert_eq!(named(within), ["api::input::A", "routes::d"]);
    assert_eq!(
        named("a! { mod b { use super::super::super::kernel::C; } fn d() { super::e() } }"),
        ["api::e", "kernel::C"]
    );
    assert_eq!(named("mod a; fn b() { super::c() }"), ["api::c"]);
    assert_eq!(named("#[cfg(test)] mod tests { use crate::dispatch::App; }"), [""; 0]);
}

#[test]
fn words_are_those_of_the_code() {
    let text = "#[a(b = \"crate::await_it::c\")] fn d() { macro_of!(e.async_like) }";
    let words = Source::read("api/reply", text, &BTreeSet::new()).words;
    assert_eq!(
        words.iter().map(String::as_str).collect::<Vec<_>>(),
        ["a", "async_like", "b", "d", "e", "fn", "macro_of"]
    );
}
