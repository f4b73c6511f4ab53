"""Validates the documents of a server, and sends it random requests. The argument is the server's program."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from openapi_spec_validator import validate
from serving import serving

# The feed of the first server is a replay that schemathesis controls. The token of the second server is unknown
# to schemathesis.
REPLAY = ["--feed", "replay", "feeds/ticks.csv", "--paused"]
TOKENS = """
[[auth.tokens]]
name = "dashboard"
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
"""
# These pages have answers without an end.
STREAMS = "^/(ws|ndjson|sse)$"
# A schema cannot say everything, for example which cursors are in the history. So the server may refuse values that
# have the form of the schema.
UNSUITABLE = "positive_data_acceptance"
TOOLS = Path("target/contract")


def check_documents(url):
    """Validates both documents. Stops the test if a document is invalid."""
    with urlopen(f"{url}/openapi.json") as answer:
        validate(json.load(answer))
    with urlopen(f"{url}/asyncapi.json") as answer:
        subprocess.run(["node", "tests/contract/asyncapi.cjs"], input=answer.read(), check=True)
    print("both documents are valid")


def check_answers(url):
    """Compares the answers to random requests with the OpenAPI document. Stops the test if they differ."""
    schemathesis = [
        "run", f"{url}/openapi.json", "--checks", "all", "--exclude-checks", UNSUITABLE, "--exclude-path-regex", STREAMS,
        "--seed", "1", "--max-examples", "50", "--generation-database", "none", "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    program = Path(sys.executable).with_name("schemathesis")
    run = subprocess.run([program, *schemathesis], cwd=TOOLS, capture_output=True, text=True, timeout=120)
    if run.returncode != 0:
        raise SystemExit(f"FAILED: the answers differ from the OpenAPI document\n{run.stdout}{run.stderr}")
    print(re.search(r"Test cases:\n\s*(.*)", run.stdout)[1])


def main():
    program = str(Path(sys.argv[1]).resolve())
    with serving(program, REPLAY) as url:
        check_documents(url)
        check_answers(url)
    config = TOOLS / "tokens.toml"
    config.write_text(TOKENS, encoding="utf-8")
    with serving(program, ["--feed", "simulated", "--config", str(config)]) as url:
        check_answers(url)


main()
