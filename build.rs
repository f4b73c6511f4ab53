//! Builds the dashboard and the browser library with npm, and lists their files for `src/server/dashboard.rs`.
//!
//! The sources are copied to `OUT_DIR`, so that a build changes nothing in the repository. A published crate
//! has no sources of the dashboard. It has the built files in `dashboard/dist`.
//!
//! Without npm, the build succeeds with a warning, and the server has only the plain page. If the environment
//! variable `TICKERPLANT_REQUIRE_DASHBOARD` is 1, the build fails instead.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs, io};

/// The files and folders from which the dashboard and the browser library are built.
const SOURCES: [&str; 9] = [
    "clients/js/package.json",
    "clients/js/src",
    "dashboard/.npmrc",
    "dashboard/build.mjs",
    "dashboard/index.html",
    "dashboard/package-lock.json",
    "dashboard/package.json",
    "dashboard/src",
    "dashboard/tsconfig.json",
];

/// The oldest version of Node.js that can build the dashboard.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// The cure that the warning names.
const CURE: &str = "install Node.js 20.19 or newer with npm, let npm reach its registry, and run \
                    `touch build.rs && cargo build`";

/// The name of the variable that makes a missing dashboard an error.
const REQUIRE: &str = "TICKERPLANT_REQUIRE_DASHBOARD";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let is_published = !Path::new("dashboard/package.json").exists();
    let built = if is_published { Ok("dashboard/dist".into()) } else { build(&out) };
    let listed = built
        .and_then(|dist| list(&dist).map_err(|error| format!("cannot read {}: {error}", dist.display())));
    let listing = listed.unwrap_or_else(|reason| {
        println!("cargo::rerun-if-env-changed={REQUIRE}");
        if env::var_os(REQUIRE).is_some_and(|value| value == "1") {
            println!("cargo::error=the dashboard cannot be built: {reason}; {CURE}");
            exit(1);
        }
        println!("cargo::warning=the server will have only the plain page, because {reason}; {CURE}");
        format!("const MISSING: Option<&str> = Some({reason:?});\nconst FILES: &[File] = &[];\n")
    });
    fs::write(out.join("dashboard.rs"), listing).expect("OUT_DIR is writable");
}

/// Builds the dashboard in `out`. Returns the folder with the built files, or the reason for the failure.
fn build(out: &Path) -> Result<PathBuf, String> {
    for source in SOURCES.iter().filter(|source| Path::new(source).exists()) {
        println!("cargo::rerun-if-changed={source}");
    }
    check_node()?;
    let web = out.join("web");
    let dashboard = web.join("dashboard");
    copy_sources(&web).map_err(|error| format!("its sources cannot be copied: {error}"))?;
    // npm installs the packages again only if the lock file has changed.
    let lock = fs::read(dashboard.join("package-lock.json")).map_err(|error| error.to_string())?;
    let installed = web.join("installed-lock.json");
    if fs::read(&installed).ok().as_ref() != Some(&lock) {
        run_npm(&dashboard, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
        fs::write(installed, lock).map_err(|error| error.to_string())?;
    }
    run_npm(&dashboard, &["run", "build"])?;
    Ok(dashboard.join("dist"))
}

/// Returns an error if Node.js is missing or too old.
fn check_node() -> Result<(), String> {
    let output = Command::new("node").arg("--version").output();
    let output = output.map_err(|_| "there is no Node.js".to_owned())?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST_NODE { Err(format!("Node.js {version} is too old")) } else { Ok(()) }
}

/// Copies the sources to a folder. Removes the files of an earlier build there, but keeps the installed
/// packages.
fn copy_sources(web: &Path) -> io::Result<()> {
    for folder in ["clients", "dashboard/src", "dashboard/dist"] {
        match fs::remove_dir_all(web.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    SOURCES.iter().try_for_each(|source| copy(Path::new(source), &web.join(source)))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        return fs::read_dir(from)?.try_for_each(|entry| {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))
        });
    }
    fs::create_dir_all(to.parent().expect("a source is in a folder"))?;
    fs::copy(from, to).map(drop).map_err(|error| io::Error::other(format!("{}: {error}", from.display())))
}

/// Runs npm in a folder. The error has the last line that npm has written.
fn run_npm(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("npm").args(arguments).current_dir(folder).output();
    let output = output.map_err(|_| "there is no npm".to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    let log = folder.with_file_name("npm.log");
    let written = [output.stdout, output.stderr].concat();
    fs::write(&log, &written).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&written);
    let last = text.lines().rev().find(|line| !line.contains("debug log") && line.contains("rror"));
    let last = last.unwrap_or_default().trim();
    Err(format!("`npm {}` failed ({last}; see {})", arguments.join(" "), log.display()))
}

/// Returns Rust code that lists the built files of a folder, each with its compressed forms.
fn list(dist: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    collect(&fs::canonicalize(dist)?, "", &mut files)?;
    files.sort();
    let mut code = "const MISSING: Option<&str> = None;\nconst FILES: &[File] = &[\n".to_owned();
    for (name, path) in &files {
        let mut hasher = DefaultHasher::new();
        hasher.write(&fs::read(path)?);
        let path = path.display();
        let tag = hasher.finish();
        let plain = format!("include_bytes!({:?})", path.to_string());
        let brotli = format!("include_bytes!({:?})", format!("{path}.br"));
        let gzip = format!("include_bytes!({:?})", format!("{path}.gz"));
        writeln!(
            code,
            "    File {{ name: {name:?}, tag: \"W/\\\"{tag:016x}\\\"\", plain: {plain}, brotli: {brotli}, gzip: {gzip} }},"
        )
        .expect("writing to a string never fails");
    }
    code.push_str("];\n");
    Ok(code)
}

/// Collects the uncompressed files of a folder with their names in URLs.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = format!("{prefix}{}", path.file_name().expect("it has a name").to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if !path.extension().is_some_and(|extension| extension == "br" || extension == "gz") {
            files.push((name, path));
        }
    }
    Ok(())
}
