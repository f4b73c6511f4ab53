"""Runs Autobahn's cases of the WebSocket protocol, one after another. The argument is the server's program."""

import asyncio
import os
import re
import signal
import sys
import time
from contextlib import asynccontextmanager, suppress

from kosoku import FailureError, run_fuzzingclient
from kosoku.cases import GROUPS

# With the relay's limits off, a connection that sends no commands hears what it says: an echo. Of several shards,
# one could be late to relay what an earlier case said, and this case would hear it.
ECHO = {"RELAY__RATE": "0", "RELAY__MAX_BYTES": "0", "RELAY__TOTAL_BYTES": "0", "SERVER__SHARDS": "1"}
# Group 9 sends messages of up to 16 MiB and 65,536 fragments; what comes back waits for the client whole.
LARGE = {
    "LIMITS__MESSAGE_BYTES": "16777216",
    "LIMITS__FRAGMENTS": "0",
    "LIMITS__MESSAGE_TIMEOUT": "60s",
    "SESSION__EVERY_BUFFER": "33554432",
}
# Groups 12 and 13 are about compression, which the server does not have.
RUNS = [
    ("the limits as they are", ["1", "2", "3", "4", "5", "6", "7", "10"], ECHO),
    ("limits raised", ["9"], ECHO | LARGE),
]
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}
# Seconds, longer than anything here takes.
PATIENCE = 60


class Fault(Exception):
    """Something went wrong outside a case."""


def cases_of(group):
    """Every case that kosoku defines for the group."""
    return [case for cases in GROUPS[group].values() for case in cases]


@asynccontextmanager
async def serving(program, settings):
    """A server on a port of its own, and its URL. The caller's environment configures nothing."""
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
        raise Fault("it does not start")

    async def rest():
        log.extend([line.decode() async for line in server.stderr])

    try:
        url = f"ws://{await asyncio.wait_for(address(), PATIENCE)}/ws"
        reading = asyncio.create_task(rest())
        yield server, url
        server.terminate()
        await asyncio.wait_for(server.wait(), PATIENCE)
        await reading
        if server.returncode != 0:
            raise Fault(f"it ends with {server.returncode}")
    except (Fault, asyncio.TimeoutError) as fault:
        raise Fault(f"the server: {str(fault) or 'no answer'}\n{''.join(log)}") from None
    finally:
        with suppress(ProcessLookupError):
            server.kill()
        await server.wait()


async def run(url, case):
    """The verdicts on a case's messages and on its close, and more about it."""
    try:
        results = await asyncio.wait_for(run_fuzzingclient(url, [case]), PATIENCE)
    except FailureError as failure:
        results = failure.results
    except asyncio.TimeoutError:
        return ["FAILED"], f"no end within {PATIENCE} s"
    if [result.case_id for result in results] != [case]:
        return ["FAILED"], "it did not run"
    [result] = results
    more = [
        result.description,
        f"messages: {result.result} expected {str(result.expected):.400}, received {str(result.received):.400}",
        f"close: {result.result_close}; code {result.remote_close_code}, {result.was_not_clean_reason or 'clean'}",
    ]
    return [result.behavior.value, result.behavior_close.value], "\n  ".join(filter(None, more))


async def run_all(program, verdicts):
    """Runs every case, and notes the verdicts; what has none at the end did not run."""
    for title, groups, settings in RUNS:
        print(title)
        async with serving(program, settings) as (server, url):
            for group in groups:
                begin = time.monotonic()
                cases = cases_of(group)
                for case in cases:
                    verdicts[case], more = await run(url, case)
                    if not FINE.issuperset(verdicts[case]):
                        print(f"FAILED: {case}: {', '.join(verdicts[case])}\n  {more}")
                    if server.returncode is not None:
                        raise Fault(f"it ends with {server.returncode} in case {case}")
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
# At an orderly end of Python, kosoku's threads abort the process now and then.
os._exit(status)
