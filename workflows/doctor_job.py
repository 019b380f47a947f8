"""One short job that tries what a run would need of a node: modules, scratch, the site's folder, the clock,
TLS to this machine, and two ranks."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.compute.cluster import Cluster
from pipelines.errors import ClusterError
from workflows.findings import NO, OK, WARNING, Finding, judged

_PATIENCE = 25  # seconds that the job may wait and run
_SKEW = 5

# Runs on the node: what it sees goes to standard output, as JSON.
_PROBE = """
import json, os, shutil, socket, ssl, sys, time
folder, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
found = {"node": os.environ.get("SLURMD_NODENAME") or socket.gethostname(), "clock": time.time()}
found["folder"] = os.path.exists(os.path.join(folder, "tls_key.pem"))
scratch = os.environ.get("TMPDIR") or "/tmp"
try:
    probe = os.path.join(scratch, ".uttag-%d" % os.getpid())
    open(probe, "w").close()
    os.unlink(probe)
    found["scratch"] = shutil.disk_usage(scratch).free // 2**20
except OSError:
    found["scratch"] = -1
try:
    where = lambda name: os.path.join(folder, name + ".pem")
    context = ssl.create_default_context(cafile=where("tls_ca_file"))
    context.check_hostname = False
    context.load_cert_chain(where("tls_cert"), where("tls_key"))
    with socket.create_connection((host, port), timeout=10) as plain, context.wrap_socket(plain) as secure:
        secure.sendall(b"?")
        found["tls"] = secure.recv(1) == b"!"
except (OSError, ValueError):
    found["tls"] = False
print("uttag-probe " + json.dumps(found), flush=True)
"""
_RANKS = (
    "from mpi4py.MPI import COMM_WORLD as all; n = all.allreduce(1); "
    "print('uttag-ranks', n) if all.rank == 0 else None"
)


def look_at_job(settings: Cluster, site: Path | None) -> Iterator[Finding]:
    """Submit it, wait for it, and say what it found."""
    from pipelines.compute.slurm import credentials, listening_at

    try:
        host = listening_at(settings)
    except ClusterError as fault:
        yield Finding("cluster.yaml interface", NO, fault.what, fault.next_step)
        return
    place = site.resolve() if site else Path.cwd()
    try:
        folder = Path(tempfile.mkdtemp(prefix=".doctor-", dir=place))
    except OSError:
        yield Finding("slurm job", WARNING, "not tried: this folder cannot be written", "name a site")
        return
    try:
        security = credentials(folder)
        with _Listener(security, host) as listener:
            yield from _tried(settings, folder, host, listener.port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tried(settings: Cluster, folder: Path, host: str, port: int) -> Iterator[Finding]:
    script = _script(settings, folder, host, port)
    output = folder / "output"
    options = ["--parsable", "--export=NONE", "--time=5", "--ntasks=2", f"--output={output}", "--no-requeue"]
    options += [] if settings.memory == "none" else ["--mem-per-cpu=1000"]
    command = ["sbatch", *options, *shlex.split(" ".join(settings.options))]
    began = time.monotonic()
    try:
        ran = subprocess.run(command, input=script, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        yield Finding("sbatch", NO, "did not end", "run it by hand; uttag --on slurm needs it")
        return
    number = ran.stdout.strip().partition(";")[0]
    if ran.returncode or not number.isdigit():
        yield _refused(ran.stderr or ran.stdout)
        return
    yield Finding("sbatch", OK, f"took a job in {time.monotonic() - began:.1f} s")
    text = _output(output, number, began)
    if "uttag-end" not in text and "uttag:" not in text:
        subprocess.run(["scancel", number], capture_output=True, timeout=20, check=False)
        waits = "did not end" if text else "did not start"
        remedy = "see squeue and sinfo; where the queue is long, come again later"
        yield Finding("slurm job", WARNING, f"{waits} within {_PATIENCE} s", remedy)
        return
    yield from _of_output(text, began)


def _script(settings: Cluster, folder: Path, host: str, port: int) -> str:
    (folder / "probe.py").write_text(_PROBE, encoding="utf-8")
    python = shlex.quote(sys.executable)
    probe = f"{python} -I {shlex.quote(str(folder / 'probe.py'))} {shlex.quote(str(folder))} {host} {port}"
    if settings.launcher == "mpiexec":
        mpiexec = shlex.quote(str(Path(sys.executable).with_name("mpiexec")))
        launch = f"{mpiexec} -rmk user -launcher fork -n 2"
    else:
        launch = f"srun --mpi={settings.mpi} -n 2"
    ranks = f"{launch} {python} -c {shlex.quote(_RANKS)}"
    return "\n".join(["#!/bin/sh", *settings.prologue(), probe, ranks, "echo uttag-end", ""])


def _output(output: Path, number: str, began: float) -> str:
    """What the job has said, once it is over or we are tired of waiting."""
    text = ""
    while time.monotonic() - began < _PATIENCE:
        time.sleep(0.3)
        if output.exists():
            text = output.read_text(encoding="utf-8", errors="replace")
            if "uttag-end" in text or "uttag:" in text:
                break
    return text


def _refused(error: str) -> Finding:
    """Which setting sbatch did not like."""
    line = next((each for each in error.splitlines() if each.strip()), "it said nothing").strip()
    line = line.removeprefix("sbatch: ").removeprefix("error: ")
    names = ("account", "qos", "reservation", "partition", "constraint")  # some name two: account/partition
    blamed = next((name for name in names if name in error.lower()), None)
    if "feature" in error.lower():
        blamed = "constraint"
    if blamed:
        return Finding(f"cluster.yaml {blamed}", NO, f"sbatch: {line}", "choose one that the cluster has")
    return Finding("sbatch", NO, line, "run sbatch by hand; uttag --on slurm needs it")


def _of_output(text: str, began: float) -> Iterator[Finding]:
    own = next((line.strip() for line in text.splitlines() if line.startswith("uttag: ")), "")
    if own:
        what = "cluster.yaml modules" if "module" in own else "cluster.yaml scratch"
        yield Finding(what, NO, own.removeprefix("uttag: "), "mend it in cluster.yaml")
        return
    line = next((each for each in text.splitlines() if each.startswith("uttag-probe ")), "")
    if not line:
        remedy = "uttag's folder must be on a file system that nodes share"
        yield Finding("slurm job", NO, "uttag's Python did not run on the node", remedy)
        return
    seen: dict[str, Any] = json.loads(line.removeprefix("uttag-probe "))
    yield Finding("slurm job", OK, f"ran on {seen['node']}, done after {time.monotonic() - began:.0f} s")
    shared = "put the site on a file system that nodes share"
    yield judged("site on nodes", seen["folder"], "seen" if seen["folder"] else "not seen", shared)
    room = seen["scratch"]
    yield judged(
        "scratch on nodes",
        room > 500,
        f"{room:,} MiB free" if room >= 0 else "cannot be written",
        "say scratch in cluster.yaml: a folder of each node's own",
    )
    skew = seen["clock"] - time.time()
    late = min(abs(skew), max(0.0, abs(skew) - (time.monotonic() - began)))
    yield judged("clock of nodes", late < _SKEW, f"within {late:.1f} s", "set all clocks by one server (NTP)")
    remedy = "say interface in cluster.yaml, and let nodes connect to this machine"
    yield judged("TLS from nodes", seen["tls"], "yes" if seen["tls"] else "no connection", remedy)
    ranks = next((each.split()[-1] for each in text.splitlines() if each.startswith("uttag-ranks")), "0")
    remedy = "choose another mpi, or launcher: mpiexec, in cluster.yaml"
    yield judged("ranks in a job", ranks == "2", f"{ranks} ranks answered of 2", remedy)


class _Listener:
    """Answers TLS connections that show this run's certificate, until the block ends."""

    def __init__(self, security: Any, host: str) -> None:
        found = security.get_tls_config_for_role("scheduler")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=found["ca_file"])
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_cert_chain(found["cert"], found["key"])
        self._socket = socket.create_server((host, 0))
        self._socket.settimeout(0.5)
        self.port = int(self._socket.getsockname()[1])
        self._wanted = True
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def __enter__(self) -> _Listener:
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._wanted = False
        self._thread.join()
        self._socket.close()

    def _answer(self) -> None:
        while self._wanted:
            try:
                plain, _ = self._socket.accept()
                plain.settimeout(5)
                with self._context.wrap_socket(plain, server_side=True) as secure:
                    if secure.recv(1) == b"?":
                        secure.sendall(b"!")
            except OSError:
                continue
