//! The examples of `curl` in the documents, run in a shell against the built program.

use std::process::Stdio;

use tokio::process::Command;
use tokio::time::timeout;

use crate::docs::{Line, blocks, document};
use crate::support::likeness::is_like;
use crate::support::process::{PATIENCE, ServerProcess};

/// The line that separates the outputs of two commands.
const SEPARATOR: &str = "----";

/// A command of an example, its line number, and the lines that it prints. Each `…` stands for any text.
type Step<'a> = (usize, &'a str, Vec<&'a str>);

/// Splits an example into its commands. A line that begins with `#` is a remark.
fn steps(example: &[Line]) -> Vec<Step<'_>> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in example.iter().filter(|(_, line)| !line.starts_with('#')) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((*number, command, Vec::new())),
            (None, Some((_, _, printed))) => printed.push(line),
            (None, None) => panic!("{number}: an example begins with a command"),
        }
    }
    steps
}

/// Runs the commands in one shell, and returns what each command prints.
async fn outputs(server: &ServerProcess, steps: &[Step<'_>]) -> Vec<String> {
    let script = steps.iter().map(|(_, command, _)| format!("{command}\necho; echo {SEPARATOR}\n"));
    let script = script.collect::<String>().replace("localhost:8000", &server.address().to_string());
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, shell.output()).await.expect("the commands end").unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    output.split_terminator(&format!("\n{SEPARATOR}\n")).map(|text| text.trim().to_owned()).collect()
}

#[tokio::test]
async fn each_example_of_curl_prints_what_the_document_shows() {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().await.is_err() {
        eprintln!("skipped, curl is not installed: the examples of curl in the documents");
        return;
    }
    // A second shard could be a moment behind the first one.
    let server =
        ServerProcess::configured(&["--feed", "simulated", "--rate", "1000"], &[("server.shards", "1")])
            .await;
    let mut client = server.connect("/ws?symbols=AAPL&channels=trades").await;
    while client.json().await["type"] != "trade" {}

    for name in ["README.md", "docs/protocol.md"] {
        let text = document(name);
        let is_example = |block: &Vec<Line>| block[0].1.starts_with("$ curl ");
        let examples: Vec<_> = blocks(&text, "console").into_iter().filter(is_example).collect();
        assert!(!examples.is_empty(), "{name} has no example of curl");
        for example in examples {
            let steps = steps(&example);
            let outputs = outputs(&server, &steps).await;
            assert_eq!(outputs.len(), steps.len(), "{name}: {outputs:?}");
            for ((number, command, expected), found) in steps.iter().zip(outputs) {
                let expected = expected.join("\n");
                assert!(is_like(&found, &expected), "{name}:{number}: {command}\n     got {found}");
            }
        }
    }
}
