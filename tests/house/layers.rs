//! The layers of `core/src`: a file imports from lower layers and its own folder, and from the file that defines a name.
//! `cargo test -p bailiwick-tests --test house layers -- --nocapture` prints them.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility, visit::Visit};

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
        let place = module(name);
        let file = syn::parse_file(text).expect("Rust");
        let mut reader =
            Reader { place: &place, modules, source: Self { name: name.to_owned(), ..Self::default() } };
        reader.visit_file(&file);
        let mut source = reader.source;
        for item in file.items.iter().filter(|item| !is_test(item)) {
            words(quote::quote!(#item), &mut source);
        }
        source
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

/// Reads the paths of the imports.
struct Reader<'a> {
    place: &'a Path,
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
        let Some(path) = absolute(self.place, path, self.modules) else { return };
        if let Some(name) = shown {
            self.source.shown.insert(name, path.clone());
        }
        self.source.uses.insert(path);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(item) {
            syn::visit::visit_item(self, item);
        }
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

/// Reads the words, and the paths that begin at the root, wherever they stand: also within macros.
fn words(tokens: TokenStream, source: &mut Source) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => words(group.stream(), source),
            TokenTree::Ident(ident) => {
                let mut path = Path::new();
                if ident == "crate" {
                    while tokens
                        .next_if(|next| matches!(next, TokenTree::Punct(punct) if punct.as_char() == ':'))
                        .is_some()
                    {
                        if let Some(TokenTree::Ident(part)) =
                            tokens.next_if(|next| matches!(next, TokenTree::Ident(_)))
                        {
                            path.push(part.to_string());
                        }
                    }
                    source.words.extend(path.iter().cloned());
                    if !path.is_empty() {
                        source.uses.insert(path);
                    }
                }
                source.words.insert(ident.to_string());
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
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
