"""Reads jobs, a line of JSON each; forks; answers with exit status, seconds of the processor and peak memory.

It imports onnxprep once, with all that its commands import, and nothing of the tests.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import onnxprep.runtime.export
import onnxprep.runtime.inspection
import onnxprep.runtime.pipeline  # noqa: F401
from onnxprep.cli import main
from onnxprep.step import catalogue

catalogue()
IMPORTED = time.process_time()


def child(job: dict[str, Any], peak: int) -> None:
    """Becomes the command; its peak goes to a pipe."""
    signal.alarm(job["limit"])
    os.chdir(job["work"])
    printed = os.open(job["printed"], os.O_WRONLY)
    for number in (1, 2):
        os.dup2(printed, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    code: object = 1
    try:
        main(job["command"], prog_name="onnxprep")
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  # a traceback is what must not be
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    kilobytes = next(line for line in lines if line.startswith("VmHWM")).split()[1]
    os.write(peak, kilobytes.encode())
    os._exit(code if isinstance(code, int) else 0)


for line in sys.stdin:
    given = json.loads(line)
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        child(given, writing)
    os.close(writing)
    _, status, used = os.wait4(process, 0)
    with os.fdopen(reading) as pipe:
        found = pipe.read()
    told = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": IMPORTED + used.ru_utime + used.ru_stime,
        "megabytes": int(found or 0) / 1024,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
