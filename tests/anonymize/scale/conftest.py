"""Databases to test against: DuckDB where Ibis is installed, a PostgreSQL and a Spark started here where there is one."""

import importlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest


def absent(name: str) -> NoReturn:
    """Skip, listed at the end as not run; fail where TACIT_REQUIRE names it."""
    if name in os.environ.get("TACIT_REQUIRE", "").split(","):
        pytest.fail(f"{name} is required here (TACIT_REQUIRE) and absent", pytrace=False)
    pytest.skip(f"not run: {name}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """An Ibis connection to a PostgreSQL server of its own, reached through a socket in a folder that goes with it."""
    initdb, server = _program("initdb"), _program("postgres")
    if importlib.util.find_spec("psycopg") is None or initdb is None or server is None:
        absent("postgres")
    import ibis

    folder = Path(tempfile.mkdtemp(prefix="pg."))  # short: a socket's path has at most 107 bytes
    user: Any = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = {"user": "nobody"}
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **user}
    locale = ["--locale=C.UTF-8", "--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en-US"]
    subprocess.run([initdb, "-D", folder / "data", "-U", "tacit", "--auth=trust", "--no-sync", *locale], check=True, **quiet)
    process = subprocess.Popen([server, "-D", folder / "data", "-k", folder, "-F", "-c", "listen_addresses="], **quiet)
    try:
        connection = _connected(lambda: ibis.postgres.connect(host=str(folder), user="tacit", database="postgres"))
        yield connection
        connection.disconnect()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """An Ibis connection to a local Spark."""
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        absent("spark")
    import ibis

    spark_session = importlib.import_module("pyspark.sql").SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
    }
    session = spark_session.builder.master("local[2]").config(map=settings).getOrCreate()
    yield ibis.pyspark.connect(session)
    session.stop()


def _program(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) if Path("/usr/lib/postgresql").is_dir() else []
    return shutil.which(name) or next((str(place) for place in reversed(places)), None)


def _connected(connect: Any) -> Any:
    not_yet = importlib.import_module("psycopg").OperationalError
    for _ in range(100):
        try:
            return connect()
        except not_yet:  # still starting
            time.sleep(0.1)
    return connect()
