//! Tests of `build.rs`: what it does without npm, with one that fails, and in a published crate.
//!
//! The tests compile the script and run it with programs in place of Node.js and npm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const NODE: &str = "#!/bin/sh\necho v22.1.0\n";

/// The compiled script, and a folder for each of its inputs and outputs.
struct BuildScript {
    folder: TempDir,
}

impl BuildScript {
    fn compile() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(compiler);
        command.args(["--edition", "2024", "-o"]).arg(folder.path().join("script")).arg(source);
        assert!(command.status().unwrap().success());
        for name in ["bin", "out"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a program into the search path of the script, in place of an earlier one.
    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the script in a crate's folder. `required` is the value of the variable that requires the dashboard.
    fn run(&self, folder: &Path, required: &str) -> (Output, String) {
        let mut command = Command::new(self.path("script"));
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("OUT_DIR", self.path("out"));
        let output = command.env("TICKERPLANT_REQUIRE_DASHBOARD", required).output().unwrap();
        let written = String::from_utf8(output.stdout.clone()).unwrap();
        (output, written)
    }

    /// Runs the script in this repository.
    fn run_here(&self) -> String {
        let (output, written) = self.run(Path::new(env!("CARGO_MANIFEST_DIR")), "");
        assert!(output.status.success(), "{written}");
        written
    }

    /// Returns the code that the script has generated.
    fn code(&self) -> String {
        fs::read_to_string(self.path("out/dashboard.rs")).unwrap()
    }
}

/// Returns the one warning in what the script has written.
fn warning(written: &str) -> &str {
    let mut warnings = written.lines().filter_map(|line| line.strip_prefix("cargo::warning="));
    let warning = warnings.next().expect("there is a warning");
    assert_eq!(warnings.next(), None);
    warning
}

#[test]
fn without_npm_the_build_warns_and_names_the_cure() {
    let script = BuildScript::compile();

    let nothing = script.run_here();
    assert!(
        warning(&nothing).contains("because there is no Node.js; install Node.js 20.19 or newer"),
        "{nothing}"
    );
    assert!(script.code().contains("MISSING: Option<&str> = Some("), "{}", script.code());

    script.program("node", "#!/bin/sh\necho v20.18.1\n");
    let old = script.run_here();
    assert!(warning(&old).contains("because Node.js v20.18.1 is too old; install"), "{old}");

    script.program("node", NODE);
    let without_npm = script.run_here();
    assert!(warning(&without_npm).contains("because there is no npm; install"), "{without_npm}");

    script.program("npm", "#!/bin/sh\necho 'npm error network: no route'\nexit 1\n");
    let failing = script.run_here();
    assert!(warning(&failing).contains("`npm ci --ignore-scripts"), "{failing}");
    assert!(warning(&failing).contains("npm error network: no route"), "{failing}");
}

#[test]
fn a_required_dashboard_that_is_missing_is_an_error() {
    let script = BuildScript::compile();

    let (output, written) = script.run(Path::new(env!("CARGO_MANIFEST_DIR")), "1");

    assert_eq!(output.status.code(), Some(1));
    assert!(
        written.contains("cargo::error=the dashboard cannot be built: there is no Node.js; install"),
        "{written}"
    );
}

#[test]
fn packages_are_installed_once_and_every_source_is_watched() {
    let script = BuildScript::compile();
    let log = script.path("log");
    let log_arguments = format!("#!/bin/sh\necho \"$@\" >>{}\n", log.display());
    // `npm run build` makes one file with its compressed forms.
    let make = "if [ \"$1\" = run ]; then\n/bin/mkdir -p dist\nfor end in '' .br .gz; do echo page >dist/index.html$end; done\nfi\n";
    script.program("node", NODE);
    script.program("npm", &format!("{log_arguments}{make}"));

    script.run_here();
    let written = script.run_here();

    let runs = fs::read_to_string(log).unwrap();
    assert_eq!(runs, "ci --ignore-scripts --no-audit --no-fund\nrun build\nrun build\n");
    for source in ["build.rs", "dashboard/src", "dashboard/package-lock.json", "clients/js/src"] {
        assert!(written.contains(&format!("cargo::rerun-if-changed={source}\n")), "{source}\n{written}");
    }
    assert!(!written.contains("cargo::warning"), "{written}");
    assert!(script.code().contains("name: \"index.html\""), "{}", script.code());
}

#[test]
fn a_published_crate_needs_no_npm() {
    let script = BuildScript::compile();
    let published = script.path("crate");
    fs::create_dir_all(published.join("dashboard/dist/assets")).unwrap();
    for name in ["index.html", "assets/index.js"] {
        for end in ["", ".br", ".gz"] {
            fs::write(published.join(format!("dashboard/dist/{name}{end}")), name).unwrap();
        }
    }

    let (output, written) = script.run(&published, "1");

    assert!(output.status.success(), "{written}");
    for name in ["index.html", "assets/index.js"] {
        assert!(script.code().contains(&format!("name: {name:?}")), "{}", script.code());
    }
    assert!(script.code().contains("MISSING: Option<&str> = None"), "{}", script.code());
}
