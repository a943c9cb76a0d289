"""Presidio's analyzer through tacit's route to it: spans of texts, and seconds. Runs in an environment of its own, without network.

python -m peers.with_presidio FILE      FILE holds {"texts": [...], "values": [...]}; the last line printed is JSON
"""

import json
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))


def refuse(event: str, _arguments: Any) -> None:
    """Let no socket connect and no name be looked up, in this process and by anything it imports."""
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise RuntimeError(f"Presidio reached for the network: {event}")


def main() -> None:
    sys.addaudithook(refuse)
    from tacit.anonymize.text import find_spans
    from tacit.anonymize.text.presidio import offline_analyzer

    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    analyzer = offline_analyzer()
    analyzer.analyze("call 202-555-0123 or write to ann@example.org", language="en")  # what is loaded once is not measured
    told: dict[str, Any] = {"version": metadata.version("presidio-analyzer")}
    for name in ("texts", "values"):
        start = time.perf_counter()
        for text in given[name]:
            analyzer.analyze(text, language="en")
        told[f"seconds_{name}"] = time.perf_counter() - start
    told["spans"] = [[one.row, one.start, one.end, one.kind] for one in find_spans(given["texts"], engine=analyzer)]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
