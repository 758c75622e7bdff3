"""mongo-java-server for the tests: its jars from Maven, one Java process on a free port, in memory or with H2 on disk."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers.absence import absent, require_program
from tests.servers.processes import ServerProcess

_HERE = Path(__file__).resolve().parent
_JARS = _HERE.parent.parent / ".lms_test" / "jars"
_FETCH_SECONDS = 300


def fetched_jars() -> Path:
    """The directory with the jars, filled by Maven at the first use."""
    pom = _HERE / "pom.xml"
    done = _JARS / "done"
    if not done.exists() or done.read_text() != pom.read_text():
        command = [require_program("mvn"), "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        fetched = subprocess.run(
            [*command, f"-DoutputDirectory={_JARS}"],
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
        if fetched.returncode != 0:
            absent(f"the jars of mongo-java-server ({fetched.stdout[-300:].strip()})", " ".join(command))
        done.write_text(pom.read_text())
    return _JARS


@contextlib.contextmanager
def running_mongo(*, keep_in: Path | None = None) -> Iterator[str]:
    """A server's URL. With `keep_in` it keeps its data in that file, but for the last second when it is killed."""
    java = require_program("java")
    where = [] if keep_in is None else [str(keep_in)]
    options = ["-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{fetched_jars()}/*"]
    command = [java, *options, str(_HERE / "MongoServerMain.java"), *where]
    with ServerProcess(command) as process:
        port = int(process.line_with("port ").removeprefix("port "))
        yield f"mongodb://127.0.0.1:{port}/"
