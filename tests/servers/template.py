"""A process that has imported the product and waits; what a test starts is forked from it: `python -m tests.servers.template FD`.

To import it takes as long as all else that a server does in most tests. Each message on the socket is a command with its
environment, and four descriptors: for its input, its output, its errors, and for whoever waits, who is told its id and how it
ended. What is forked has its own standard streams, arguments, environment and randomness, as if it had been executed.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
from typing import Any

from run import run

MAX_MESSAGE_BYTES = 100_000
PRODUCT = ("handlers.serve", "workers.beside", "workers.run", "workers.scheduler")


def main(descriptor: int) -> None:
    """Fork for each message until the other end is closed; of a child alone this returns, and is its command."""
    gc.disable()
    for module in PRODUCT:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how those ended who wait for the forked
    with socket.socket(fileno=descriptor) as asked:
        while True:
            message, given, _, _ = socket.recv_fds(asked, MAX_MESSAGE_BYTES, 4)
            if not message:
                return
            if os.fork() == 0:
                break
            for one in given:
                os.close(one)
    _wait_for(json.loads(message), given)


def _wait_for(wanted: dict[str, Any], given: list[int]) -> None:
    """Fork once more, and tell how that ends: the template itself never waits."""
    *streams, told = given
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(wanted, streams)
    for one in streams:
        os.close(one)
    os.write(told, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(wanted: dict[str, Any], streams: list[int]) -> None:
    """Be the command, and end with its status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, one in enumerate(streams):
        os.dup2(one, number)
        os.close(one)
    os.environ.clear()
    os.environ.update(wanted["env"])
    time.tzset()
    os.chdir(wanted["cwd"])
    status: Any = 1
    try:
        status = _run(wanted["words"])
    except SystemExit as end:
        status = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter would
        sys.excepthook(*sys.exc_info())
    if isinstance(status, str):
        print(status, file=sys.stderr)  # noqa: T201
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def _run(words: list[str]) -> int:
    """The words behind the interpreter: `run.py …`, or `-m module …`."""
    if words[0] != "-m":
        sys.argv[:] = words
        return run(words[1:])
    sys.argv[:] = words[1:]
    runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
