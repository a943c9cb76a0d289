"""Notes of a support desk: find the personal data inside, replace it by pseudonyms, and check what is left.

    python examples/free_text.py                      # a few made-up notes
    python examples/free_text.py notes.csv COLUMN     # a column of your own table, with a header line

The same person, card or address gets the same token in every note, under a key that stays in a file of yours.
"""

import argparse
import tempfile
from pathlib import Path

import pyarrow as pa

from tacit.anonymize import Pseudonyms, load_or_create_key
from tacit.anonymize.text import find_spans, redact
from tacit.tables import read_table

NOTES = (
    "Ms Adaeze Okafor called from +44 20 7946 0018: card 4111 1111 1111 1111 was charged twice on 3 March 2021.",
    "OKAFOR again, writes from a.okafor@example.org. Refunded to GB29 NWBK 6016 1331 9268 19.",
    "Customer says her social security number is 078-05-1120. It is on a list of invalid numbers, and still hers to hide.",
    "Liam Byrne (DOB 14/2/1958, PPS 3432292GH) moved to D02 AF30; a.okafor@example.org is his carer's address.",
    "The line was dead.",
)
NAMES = ("Adaeze Okafor", "Liam Byrne")  # the desk knows its customers: a list finds what no pattern can


# --- Find, replace, look again ---------------------------------------------------------------------------------------------


def main(notes: pa.Array | None = None, names: tuple[str, ...] = NAMES) -> list[str | None]:
    """Return the notes with what was found replaced; print them and what was found."""
    texts = pa.array(NOTES) if notes is None else notes
    with tempfile.TemporaryDirectory() as folder:  # in earnest: a file that only you can read, kept apart from the notes
        key = load_or_create_key(Path(folder) / "notes.key")
        done = redact(texts, names=names, replace=Pseudonyms(key=key))
    for text in done.texts.to_pylist():
        print(text)
    print(f"replaced: {dict(done.counts)}")
    left = find_spans(redact(texts, names=names).texts, names=names)
    print(f"found when looking again: {len(left)}. What no recognizer knows is still there; read before you share.")
    return list(done.texts.to_pylist())


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", type=Path, nargs="?")
    arguments.add_argument("column", nargs="?")
    options = arguments.parse_args()
    if options.file and options.column:
        main(read_table(options.file).column(options.column).combine_chunks().cast(pa.string()), ())
    else:
        main()
