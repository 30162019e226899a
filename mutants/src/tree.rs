//! A copy of the repository, in which the sources of one package are switched.
//!
//! Invariant: a file is written only if its text is another, so that builds stay warm.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cfg::is_compiled;
use crate::find;
use crate::switch::{self, Mutant};

/// A package whose sources are mutated.
pub struct Package {
    pub name: &'static str,
    pub folder: &'static str,
    pub features: &'static [&'static str],
    /// The folder of the package that has the switch.
    pub switch: &'static str,
}

impl Package {
    pub fn is_wasm(&self) -> bool {
        self.features.contains(&WASM)
    }

    /// How its sources call the switch.
    fn path(&self) -> &'static str {
        match self.switch == self.folder {
            true => "crate::mutant_switch::pick",
            false => "isosocket_core::mutant_switch::pick",
        }
    }

    /// The file that declares the switch.
    fn declaring(&self) -> String {
        format!("{}/src/lib.rs", self.switch)
    }
}

const WASM: &str = "wasm32-unknown-unknown";

pub const PACKAGES: [Package; 3] = [
    Package {
        name: "isosocket-core",
        folder: "core",
        features: &["--features", "mock,json,url"],
        switch: "core",
    },
    Package {
        name: "isosocket-native",
        folder: "backend-native",
        features: &[],
        switch: "core",
    },
    // With a switch of its own: core knows no JavaScript, in which Node has its environment.
    Package {
        name: "isosocket-web",
        folder: "backend-web",
        features: &["--features", "web-sys", "--target", WASM],
        switch: "backend-web",
    },
];

const DECLARED: &str = "\n#[doc(hidden)]\npub mod mutant_switch;\n";

pub struct Tree {
    pub root: PathBuf,
    source: PathBuf,
    files: Vec<(String, String, syn::File)>,
    pub dead: HashSet<u32>,
    pub keep: Vec<String>,
}

impl Tree {
    /// Copies the repository at `source`.
    pub fn copy(source: &Path, root: &Path, package: &Package) -> Result<Tree, String> {
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(source)
            .output()
            .map_err(|error| format!("cannot run git: {error}"))?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let sources = compiled(source, package)?;
        let own: HashSet<&str> = sources.iter().map(|(name, ..)| name.as_str()).collect();
        let declaring = package.declaring();
        for name in listed
            .lines()
            .filter(|name| !own.contains(name) && *name != declaring)
        {
            if let Ok(bytes) = fs::read(source.join(name)) {
                write(&root.join(name), &bytes)?;
            }
        }
        let root = root.to_path_buf();
        let source = source.to_path_buf();
        Ok(Tree {
            root,
            source,
            files: sources,
            dead: HashSet::new(),
            keep: Vec::new(),
        })
    }

    /// Writes the switched sources; gives all mutants that are still viable.
    pub fn switch(&self, package: &Package) -> Result<Vec<Mutant>, String> {
        let mut all = Vec::new();
        let mut first = 1;
        let is_viable = |number: u32| !self.dead.contains(&number);
        for (name, text, parsed) in &self.files {
            let found = find::find(parsed);
            let path = package.path();
            let mut switched =
                switch::switch(name, text, &found, first, path, &self.keep, &is_viable);
            if name.ends_with("/src/lib.rs") {
                switched.text = format!("{}{}", switch::ALLOWED, switched.text);
            }
            if *name == package.declaring() {
                switched.text += DECLARED;
            }
            write(&self.root.join(name), switched.text.as_bytes())?;
            all.extend(switched.mutants);
            first = switched.next;
        }
        self.add_module(package)?;
        Ok(all)
    }

    fn add_module(&self, package: &Package) -> Result<(), String> {
        let declaring = package.declaring();
        let path = self.root.join(&declaring);
        write(
            &path.with_file_name("mutant_switch.rs"),
            switch::MODULE.as_bytes(),
        )?;
        if package.folder == package.switch {
            return Ok(());
        }
        let text = fs::read_to_string(self.source.join(&declaring));
        let text = text.map_err(|error| format!("{declaring}: {error}"))?;
        write(&path, format!("{text}{DECLARED}").as_bytes())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The files of a package that the tests' build compiles: name, text and syntax.
fn compiled(source: &Path, package: &Package) -> Result<Vec<(String, String, syn::File)>, String> {
    let mut files = Vec::new();
    let mut waiting = vec![(format!("{}/src/lib.rs", package.folder), true)];
    while let Some((name, is_folder)) = waiting.pop() {
        let path = source.join(&name);
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let parsed = syn::parse_file(&text).map_err(|error| format!("{name}: {error}"))?;
        let folder = match is_folder {
            true => name
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned(),
            false => name.trim_end_matches(".rs").to_owned(),
        };
        for item in &parsed.items {
            let syn::Item::Mod(module) = item else {
                continue;
            };
            if module.content.is_none() && is_compiled(&module.attrs) {
                let direct = format!("{folder}/{}.rs", module.ident);
                let nested = format!("{folder}/{}/mod.rs", module.ident);
                let is_direct = source.join(&direct).exists();
                waiting.push(if is_direct {
                    (direct, false)
                } else {
                    (nested, true)
                });
            }
        }
        files.push((name, text, parsed));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(files)
}
