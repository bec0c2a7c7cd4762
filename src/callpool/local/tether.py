"""Run a program that ends when the process that started it ends, even by `kill -9`.

    python -I -S tether.py PARENT_PID FD PROGRAM ARGUMENTS…

With FD `-` the kernel is asked for it (Linux). Otherwise FD is the reading end of a pipe whose writing end
only the parent has: a small watcher kills the program's process group when that pipe closes. The program
keeps the process id that the parent knows. Only the standard library is used: this runs before every child.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1
LOOK_S = 1.0
"""How often the watcher looks whether its program has ended, seconds."""


def ask_kernel(parent: int) -> None:
    """Be killed with the parent; at once if it is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def start_watcher(parent: int, fd: int) -> None:
    """Fork the watcher; it leaves when the program does."""
    program = os.getpid()
    if os.fork():
        os.close(fd)
        return
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.setpgid(0, 0)
    while os.getppid() == program:
        if select.select([fd], [], [], LOOK_S)[0]:
            os.killpg(program, signal.SIGKILL)
            break
    os._exit(0)


def main() -> None:
    parent, fd, *program = sys.argv[1:]
    if fd == "-":
        ask_kernel(int(parent))
    else:
        start_watcher(int(parent), int(fd))
    try:
        os.execvp(program[0], program)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{program[0]} cannot be started: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    main()
