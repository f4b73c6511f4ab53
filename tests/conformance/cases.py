"""Runs Autobahn's cases for the WebSocket protocol, one after the other. The argument is the server's program."""

import asyncio
import os
import re
import signal
import sys
import time
from contextlib import asynccontextmanager, suppress

from kosoku import FailureError, run_fuzzingclient
from kosoku.cases import GROUPS

# Without the relay's limits, a connection that sends no commands gets its own messages back, like an echo. There is one
# shard: a second shard could relay a message late, into the next case.
ECHO = {"RELAY__RATE": "0", "RELAY__MAX_BYTES": "0", "RELAY__TOTAL_BYTES": "0", "SERVER__SHARDS": "1"}
# Group 9 sends messages of up to 16 MiB in up to 65,536 fragments. The server buffers each whole message for the client.
LARGE = {
    "LIMITS__MESSAGE_BYTES": "16777216",
    "LIMITS__FRAGMENTS": "0",
    "LIMITS__MESSAGE_TIMEOUT": "60s",
    "SESSION__EVERY_BUFFER": "33554432",
}
# Groups 12 and 13 test compression, which the server does not have.
RUNS = [
    ("with the default limits", ["1", "2", "3", "4", "5", "6", "7", "10"], ECHO),
    ("with greater limits", ["9"], ECHO | LARGE),
]
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}
# The time limit of a case, and of the server's start and stop, in seconds. A correct server stays far below
# this limit.
TIMEOUT = 60


class Fault(Exception):
    """A failure of the server outside a case."""


def cases_of(group):
    """Returns all cases that kosoku defines for the group."""
    return [case for cases in GROUPS[group].values() for case in cases]


@asynccontextmanager
async def serving(program, settings):
    """Starts a server on a free port, and yields the server and its URL. Ignores the caller's own settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TICKERPLANT_")}
    environment.update({f"TICKERPLANT_{key}": value for key, value in settings.items()})
    server = await asyncio.create_subprocess_exec(
        program, "--listen", "127.0.0.1:0", env=environment, stderr=asyncio.subprocess.PIPE
    )
    log = []

    async def address():
        async for line in server.stderr:
            log.append(line.decode())
            if found := re.search(r"listening address=(\S+)", log[-1]):
                return found[1]
        raise Fault("it did not start")

    async def read_log():
        log.extend([line.decode() async for line in server.stderr])

    try:
        url = f"ws://{await asyncio.wait_for(address(), TIMEOUT)}/ws"
        reading = asyncio.create_task(read_log())
        yield server, url
        server.terminate()
        await asyncio.wait_for(server.wait(), TIMEOUT)
        await reading
        if server.returncode != 0:
            raise Fault(f"it ended with {server.returncode}")
    except (Fault, asyncio.TimeoutError) as fault:
        raise Fault(f"the server: {str(fault) or 'no answer'}\n{''.join(log)}") from None
    finally:
        with suppress(ProcessLookupError):
            server.kill()
        await server.wait()


async def run(url, case):
    """Runs a case. Returns the verdict on its messages, the verdict on its close, and a description."""
    try:
        results = await asyncio.wait_for(run_fuzzingclient(url, [case]), TIMEOUT)
    except FailureError as failure:
        results = failure.results
    except asyncio.TimeoutError:
        return ["FAILED"], f"it did not end within {TIMEOUT} s"
    if [result.case_id for result in results] != [case]:
        return ["FAILED"], "it did not run"
    [result] = results
    description = [
        result.description,
        f"messages: {result.result} expected {str(result.expected):.400}, received {str(result.received):.400}",
        f"close: {result.result_close}; code {result.remote_close_code}, {result.was_not_clean_reason or 'clean'}",
    ]
    return [result.behavior.value, result.behavior_close.value], "\n  ".join(filter(None, description))


async def run_all(program, verdicts):
    """Runs every case and stores its verdicts. A case that did not run has no verdicts."""
    for title, groups, settings in RUNS:
        print(title)
        async with serving(program, settings) as (server, url):
            for group in groups:
                begin = time.monotonic()
                cases = cases_of(group)
                for case in cases:
                    verdicts[case], description = await run(url, case)
                    if not FINE.issuperset(verdicts[case]):
                        print(f"FAILED: {case}: {', '.join(verdicts[case])}\n  {description}")
                    if server.returncode is not None:
                        raise Fault(f"it ended with {server.returncode} in case {case}")
                print(f"  group {group}: {len(cases)} cases in {time.monotonic() - begin:.1f} s", flush=True)


def list_cases(title, cases):
    if cases:
        print(f"{title}: {' '.join(cases)}")


async def main():
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    verdicts = {case: [] for _, groups, _ in RUNS for group in groups for case in cases_of(group)}
    fault = None
    try:
        await run_all(sys.argv[1], verdicts)
    except (Fault, OSError, asyncio.CancelledError) as end:
        fault = end
        print(f"FAILED: {str(end) or 'stopped'}")
    failed = [case for case, values in verdicts.items() if not values or not FINE.issuperset(values)]
    list_cases("not strict", [case for case, values in verdicts.items() if "NON-STRICT" in values])
    list_cases("informational", [case for case, values in verdicts.items() if "INFORMATIONAL" in values])
    list_cases("failed", [case for case in failed if verdicts[case]])
    list_cases("did not run", [case for case in failed if not verdicts[case]])
    print(f"{len(verdicts) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or fault else 0


status = asyncio.run(main())
sys.stdout.flush()
# When Python exits normally, kosoku's threads sometimes abort the process.
os._exit(status)
