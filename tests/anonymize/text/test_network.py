"""T15: identification, free text and the command line open no socket; an audit hook sees every attempt, also from C."""

import subprocess
import sys
from pathlib import Path

_HOOK = """\
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"a socket: {event}")
sys.addaudithook(refuse)
"""

_SCAN = """\
from pathlib import Path
import pyarrow as pa
from tacit.anonymize.identify import hipaa_coverage, identify_columns, separation_table
from tacit.anonymize.pseudonymize import Key, Pseudonyms
from tacit.anonymize.text import find_spans, redact
notes = [f"Mrs. Ash wrote from user{i}@example.co.uk about http://example.org/{i} and 2001:db8::{i:x} on 3/4/2020" for i in range(30)]
table = pa.table({"note": notes, "contact": [f"user{i}@example.co.uk" for i in range(30)], "age": [20 + i % 9 for i in range(30)]})
assert [one.kind for one in identify_columns(table, names=["Ash"])] == ["free text", "e-mail", "age"]
assert len(hipaa_coverage(identify_columns(table))) == 18
separation_table(table, ["contact", "age"])
assert len(find_spans(notes)) >= 120
assert "example" not in redact(notes).texts[0].as_py()
tokens = Pseudonyms(key=Key(secret=bytes(32)))
assert len(set(redact(notes, kinds=["e-mail"], replace=tokens).texts.to_pylist())) == 30
Path("people.csv").write_text("contact,age\\nann@example.org,20\\nbo@example.org,30\\n")
sys.argv = ["tacit", "scan", "people.csv", "--hipaa", "--separation"]
from tacit.cli.app import main
main()
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _HOOK + code], capture_output=True, text=True, cwd=folder, check=False)


def test_t15_nothing_opens_a_socket(tmp_path: Path) -> None:
    done = run(_SCAN, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "contact" in done.stdout


def test_the_hook_sees_a_socket(tmp_path: Path) -> None:
    done = run("import socket\nsocket.getaddrinfo('example.org', 80)", tmp_path)
    assert done.returncode == 1
    assert "a socket" in done.stderr
