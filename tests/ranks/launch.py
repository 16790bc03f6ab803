"""Starting processes together by mpirun, and killing one of them."""

import os
import pathlib
import signal
import subprocess


def many(mpiexec, words, ranks):
    """The command line that starts so many processes of one program."""
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    return [mpiexec, *root, "--oversubscribe", "-n", str(ranks), *words]


def kill_one_rank(launcher):
    """The last child of mpirun, without warning."""
    children = pathlib.Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text(encoding="ascii").split()
    os.kill(int(children[-1]), signal.SIGKILL)


def succeed(words):
    """Runs a command that must succeed."""
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{' '.join(words)}\n{run.stdout}\n{run.stderr}"
    return run
