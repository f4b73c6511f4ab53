"""Enters the formulas of docs/spreadsheets.md into LibreOffice Calc. The argument is the server's program."""

import json
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import uno
from com.sun.star.beans import PropertyValue
from serving import serving

SERVER = "http://localhost:8000"
FEED = ["--feed", "replay", "feeds/ticks.csv", "--paused"]
# A server with one shard answers with every event of a step as soon as one answer has them.
SHARDS = "[server]\nshards = 1\n"
ROW = re.compile(r"^\| ([A-Z][0-9]) \| `(=.*)` \|", re.MULTILINE)
EXCEL = re.compile(r"^ *(=.*MID.*)$", re.MULTILINE)


@contextmanager
def calc(folder):
    """Starts Calc without a window, and yields an empty sheet with its document."""
    pipe = f"tickerplant-{Path(folder).name}"
    command = ["soffice", "--headless", "--norestore", f"-env:UserInstallation=file://{folder}/profile"]
    with subprocess.Popen([*command, f"--accept=pipe,name={pipe};urp"], stderr=subprocess.DEVNULL) as office:
        try:
            desktop = connected(pipe, office)
            hidden = PropertyValue(Name="Hidden", Value=True)
            document = desktop.loadComponentFromURL("private:factory/scalc", "_blank", 0, (hidden,))
            yield document, document.Sheets.getByIndex(0)
            document.close(True)
        finally:
            office.terminate()


def connected(pipe, office):
    """Connects to a running LibreOffice, and returns its desktop."""
    context = uno.getComponentContext()
    create = context.ServiceManager.createInstanceWithContext
    resolver = create("com.sun.star.bridge.UnoUrlResolver", context)
    while True:
        try:
            found = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
        except uno.getClass("com.sun.star.connection.NoConnectException"):
            with suppress(subprocess.TimeoutExpired):
                raise SystemExit(f"FAILED: LibreOffice has ended with {office.wait(0.1)}")
        else:
            return found.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", found)


def step(url, events):
    """Publishes events, and returns the last prices when a client can read them."""
    command = json.dumps({"action": "step", "events": events}).encode()
    with urlopen(f"{url}/api/v1/feed", command) as answer:
        position = json.load(answer)["position"]
    while True:
        with urlopen(f"{url}/api/v1/snapshots?symbols=*") as answer:
            snapshots = json.load(answer)["snapshots"]
        if position in json.dumps(snapshots):
            return {name: found["day"] | {"time": found["trade"]["time"]} for name, found in snapshots.items()}


def check(sheet, prices):
    """Compares the cells with the prices."""
    cell = sheet.getCellRangeByName
    apple, microsoft = prices["AAPL"], prices["MSFT"]
    found = [cell("A2").Value, cell("A3").Value, cell("A4").String, cell("D2").Value, cell("E1").Value]
    expected = [apple["last"], apple["change_percent"], apple["time"], microsoft["last"], apple["last"]]
    if found != expected:
        raise SystemExit(f"FAILED: the cells are {found} and not {expected}; A1 is {cell('A1').String}")


def main():
    text = Path("docs/spreadsheets.md").read_text(encoding="utf-8")
    formulas = dict(ROW.findall(text)) | {"E1": EXCEL.search(text)[1]}
    assert len(formulas) == 7, formulas
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "shards.toml")
        config.write_text(SHARDS, encoding="utf-8")
        program = str(Path(sys.argv[1]).resolve())
        with serving(program, [*FEED, "--config", str(config)]) as url, calc(folder) as (document, sheet):
            prices = step(url, 300)
            sheet.getCellRangeByName("C2").String = "MSFT"
            for name, formula in formulas.items():
                sheet.getCellRangeByName(name).FormulaLocal = formula.replace(SERVER, url)
            check(sheet, prices)
            later = step(url, 200)
            assert later["AAPL"]["last"] != prices["AAPL"]["last"], "the prices have moved"
            document.calculate()
            check(sheet, later)
    print(f"Calc has read the prices: {len(formulas)} formulas")


main()
