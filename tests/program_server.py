"""The far side of ``subprocess_program``: an interpreter that has loaded what programs need, and forks one for each."""

from __future__ import annotations

import gc
import marshal
import os
import socket
import sys
from types import CodeType, ModuleType
from typing import Any


def next_program(channel_number: int, preload: str) -> tuple[CodeType, dict[str, Any]]:
    """Wait for programs, and start them one after the other; it comes back only in each one's own process.

    The caller is the interpreter's main program, and runs what it gets, in the namespace that it gets. So the program
    ends as every other one does, with its exit handlers, its threads waited for, and Python's own end.
    """
    channel = socket.socket(fileno=channel_number)
    exec(preload, {"__name__": "preload"})
    # Else each program's collector would look through all that is loaded, and have all of its memory copied.
    gc.collect()
    gc.freeze()
    while True:
        header, pipes, _, _ = socket.recv_fds(channel, 4, 3)
        if not header:  # the tests are over
            sys.exit()
        said = channel.recv(int.from_bytes(header, "big"), socket.MSG_WAITALL)
        program = os.fork()
        if program == 0:
            break
        for pipe in pipes:
            os.close(pipe)
        channel.sendall(program.to_bytes(4, "big"))
        status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
        channel.sendall(status.to_bytes(4, "big", signed=True))
    channel.close()
    os.setsid()
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    source, arguments, environment, folder = marshal.loads(said)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv[1:] = arguments
    # A main module of its own, which is not among what the collector leaves alone at the end.
    main = sys.modules["__main__"] = ModuleType("__main__")
    return compile(source, "<program>", "exec", dont_inherit=True), vars(main)
