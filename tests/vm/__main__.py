# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The command line: ``python -m tests.vm``."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.vm import klog, vm
from tests.vm.kernel import KernelError

EPILOG = f"""\
The exit status is the command's own, except: {vm.LOST} the machine did not boot, panicked or
vanished, or the module could not be loaded; {vm.TIMED_OUT} it took too long; {vm.DIRTY} the kernel
complained (whatever the command returned).  The kernel log is in build/vm/kernel.log.
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm", epilog=EPILOG)
    parser.description = "Run a command in a VM with ksqlfs loaded; a shell if there is none."
    parser.add_argument("--kernel", required=True, metavar="RELEASE", help="the kernel to boot")
    parser.add_argument("--no-load", dest="load", action="store_false", help="load no module")
    parser.add_argument("--timeout", type=int, metavar="SECONDS", help="for the whole run")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--kvm", action="store_true", help="use KVM (emulated otherwise)")
    parser.add_argument("--kopt", action="append", default=[], help="a kernel option")
    parser.add_argument("--command-file", type=Path, help="read the command, a script, from here")
    parser.add_argument("command", nargs="*", help="the command, after --")
    return parser.parse_args(arguments)


def task_of(arguments: argparse.Namespace) -> vm.Task:
    """Return the task that the command line describes."""
    command: str | None = None
    if arguments.command_file:
        command = arguments.command_file.read_text()
    elif len(arguments.command) == 1:
        command = arguments.command[0]
    elif arguments.command:
        command = shlex.join(arguments.command)
    timeout = arguments.timeout
    if timeout is None:
        timeout = 0 if command is None else 2700
    return vm.Task(command, load=arguments.load, timeout=timeout)


def stop(number: int, _frame: FrameType | None) -> NoReturn:
    """End as if interrupted, so that the machine is taken down."""
    raise SystemExit(128 + number)


def main() -> int:
    """Run it and turn failures of the machine into sentences and exit codes."""
    arguments = parse()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    machine = vm.Machine(
        arguments.kernel,
        cpus=arguments.cpus,
        memory=arguments.memory,
        kvm=arguments.kvm,
        kernel_options=tuple(arguments.kopt),
    )
    try:
        return vm.run_task(machine, task_of(arguments))
    except vm.VmDirtyError as error:
        print(f"vm: {error}\nvm: see {error.log}", file=sys.stderr)
        return error.code
    except vm.VmError as error:
        print(klog.tail(error.log), file=sys.stderr)
        print(f"vm: {error}\nvm: above is the end of {error.log}", file=sys.stderr)
        return error.code
    except (KernelError, OSError, subprocess.CalledProcessError) as error:
        print(f"vm: {error}", file=sys.stderr)
        return vm.LOST


if __name__ == "__main__":
    sys.exit(main())
