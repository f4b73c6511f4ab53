"""Executes the notebook in docs/ against a server, and checks its tables. The argument is the server's program."""

import sys
from urllib.request import urlopen

import nbformat
from nbclient import NotebookClient
from serving import serving
from traitlets.config import Config

SERVER = "http://localhost:8000"
# The kernel talks to the test over local sockets, not over TCP.
LOCAL = Config(KernelManager={"transport": "ipc"})
# The cell that the test adds. A failed assertion ends the test.
CHECKS = """
import pandas
assert len(bars) > 0 and bars.index.is_monotonic_increasing and bars["close"].dtype == float, bars
assert (bars["low"] <= bars["high"]).all() and bars["volume"].gt(0).all(), bars
assert all(type(price) is Decimal for price in trades["price"]) and type(turnover) is Decimal, trades
assert set(trades["symbol"]) == {"AAPL"} and trades["seq"].is_monotonic_increasing, trades
assert isinstance(_, pandas.DataFrame) and len(_) == 5 and set(_["symbol"]) <= {"AAPL", "MSFT"}, _
"""


def wait_for_trade(url):
    """Waits until the simulated market has had a trade of AAPL."""
    with urlopen(f"{url}/ndjson?symbols=AAPL&channels=trades") as stream:
        next(line for line in stream if line.startswith(b'{"type":"trade"'))


def main():
    notebook = nbformat.read("docs/notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the notebook has outputs; clear them"
    notebook.cells.append(nbformat.v4.new_code_cell(CHECKS))
    with serving(sys.argv[1], ["--feed", "simulated"]) as url:
        for cell in notebook.cells:
            cell.source = cell.source.replace(SERVER, url)
        wait_for_trade(url)
        NotebookClient(notebook, timeout=60, kernel_name="python3", config=LOCAL).execute()
    print(f"the notebook has run: {len(notebook.cells) - 1} cells")


main()
