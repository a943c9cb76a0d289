"""verify believes nothing: whatever is changed in the file is found, given the head kept elsewhere."""

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import tacit
from tacit.errors import LedgerError
from tacit.privacy.accounting import epsilon
from tacit.privacy.block import Block
from tacit.privacy.guarantee import Guarantee, Neighbours
from tacit.privacy.ledger import Head, Ledger, verify
from tacit.privacy.ledger.chain import Entry, Sealer, entry_hash

MakeBlock = Callable[..., Block]
Row = list[Any]
FIELDS = Entry._fields


@pytest.fixture
def original(path: Path, make_block: MakeBlock) -> tuple[Path, Head]:
    """A closed ledger of 2 datasets with every kind of row, and its head as a report would hold it."""
    with Ledger.open(path) as ledger:
        for dataset in ("survey", "clinic"):
            ledger.grant(dataset, epsilon=3.0, delta=1e-5)
            ledger.record("read-only", dataset=dataset, request_id=f"{dataset} profile", what="profile")
            ledger.record("not-dp", dataset=dataset, request_id=f"{dataset} table", what="5-anonymous table", details={"k": 5})
            for number in range(3):
                run = ledger.reserve(make_block(), dataset=dataset, request_id=f"{dataset} {number}", purpose="model")
                for _ in range(11):
                    run.count_step()
        ledger.grant("survey", epsilon=1.0, delta=0.0)
        ledger.resume("survey 1")
        return path, ledger.head()


def read(path: Path) -> list[Row]:
    with closing(sqlite3.connect(path)) as connection:
        return [list(row) for row in connection.execute("SELECT * FROM entries ORDER BY seq")]


def write(path: Path, rows: list[Row]) -> None:
    """Replace all rows, as someone with the file but not the key would."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("DELETE FROM entries")
        connection.executemany(f"INSERT INTO entries VALUES ({', '.join('?' * len(FIELDS))})", rows)
        connection.commit()


def rechained(rows: list[Row], start: int, seal: Callable[[bytes], bytes]) -> list[Row]:
    """Rewrite numbers, hashes and seals from row `start` on so that they fit one another again."""
    done = [list(row) for row in rows]
    for index in range(start, len(done)):
        entry = Entry(*done[index])._replace(seq=index + 1, previous=done[index - 1][13] if index else bytes(32))
        digest = entry_hash(entry)
        done[index] = list(entry._replace(hash=digest, seal=seal(digest)))
    return done


def flip(value: int | str | bytes | None, dice: random.Random) -> int | str | bytes:
    """Change one bit of a stored field; a missing one appears."""
    if value is None:
        return "x"
    if isinstance(value, int):
        return value ^ (1 << dice.randrange(40))
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    if not raw:
        return "x"
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(7)  # stays ASCII
    return raw.decode() if isinstance(value, str) else bytes(raw)


def flip_a_field(rows: list[Row], dice: random.Random) -> list[Row]:
    row, column = dice.randrange(len(rows)), dice.randrange(len(FIELDS))
    rows[row][column] = flip(rows[row][column], dice)
    return rows


def delete_a_row(rows: list[Row], dice: random.Random) -> list[Row]:
    del rows[dice.randrange(len(rows) - 1)]
    return rows


def delete_and_renumber(rows: list[Row], dice: random.Random) -> list[Row]:
    del rows[dice.randrange(1, len(rows) - 1)]
    return [[number, *row[1:]] for number, row in enumerate(rows, 1)]


def swap_two_rows(rows: list[Row], dice: random.Random) -> list[Row]:
    one, two = dice.sample(range(len(rows)), 2)
    rows[one][1:], rows[two][1:] = rows[two][1:], rows[one][1:]
    return rows


def cut_the_end(rows: list[Row], dice: random.Random) -> list[Row]:
    return rows[: dice.randrange(len(rows))]


def forget_a_charge(rows: list[Row], dice: random.Random, seal: Callable[[bytes], bytes] = lambda digest: digest) -> list[Row]:
    """Remove a row, repair the totals after it and recompute every hash: a chain that fits, but without the key."""
    index = dice.randrange(2, len(rows))
    gone = rows.pop(index)
    for row in rows[index:]:
        if row[3] == gone[3]:
            row[10] -= gone[10] - rows[index - 1][10] if rows[index - 1][3] == gone[3] else 0
    return rechained(rows, index, seal)


def spend_less(rows: list[Row], dice: random.Random) -> list[Row]:
    index = dice.randrange(1, len(rows))
    for row in rows[index:]:
        row[10] = row[11] = 0
    return rechained(rows, index, lambda _: os.urandom(32))


def forge_with_another_key(rows: list[Row], dice: random.Random) -> list[Row]:
    sealer = Sealer(b"\1" * 32, Entry(*rows[0]).content["ledger_id"])
    return rechained(rows, dice.randrange(1, len(rows)), sealer.seal)


def add_a_row(rows: list[Row], dice: random.Random) -> list[Row]:
    copy = list(dice.choice(rows[1:]))
    copy[0], copy[4] = len(rows) + 1, None
    return [*rows, copy]


MUTATIONS = (
    flip_a_field,
    flip_a_field,
    flip_a_field,
    delete_a_row,
    delete_and_renumber,
    swap_two_rows,
    cut_the_end,
    forget_a_charge,
    spend_less,
    forge_with_another_key,
    add_a_row,
)


def undetected(original: tuple[Path, Head], folder: Path, mutations: int, seed: int) -> list[str]:
    """Try this many mutations that do change the ledger; returns the names of those verify did not find."""
    source, head = original
    rows, copy, dice, missed = read(source), folder / "copy.sqlite", random.Random(seed), []
    tried = 0
    while tried < mutations:
        mutate = dice.choice(MUTATIONS)
        changed = mutate([list(row) for row in rows], dice)
        if changed == rows:
            continue
        shutil.copyfile(source, copy)
        try:
            write(copy, changed)
        except sqlite3.IntegrityError:  # two rows of one number: the database itself refuses
            continue
        tried += 1
        if verify(copy, [head]).ok:
            missed.append(mutate.__name__)
    return missed


def test_an_untouched_ledger_verifies(original: tuple[Path, Head]) -> None:
    path, head = original
    result = verify(path, [head])
    assert result.ok, result.summary
    assert result.seals_checked
    assert result.count == result.anchored == head.count == len(read(path))
    before = read(path)
    write(path, before)
    assert verify(path, [head]).ok  # writing the same rows back is no change: the mutations are what is found


def test_three_hundred_random_mutations_are_all_found(original: tuple[Path, Head], tmp_path: Path) -> None:
    assert undetected(original, tmp_path, 300, seed=1) == []


@pytest.mark.slow
def test_ten_thousand_random_mutations_are_all_found(original: tuple[Path, Head], tmp_path: Path) -> None:
    assert undetected(original, tmp_path, 10_000, seed=2) == []


def test_without_the_key_the_anchor_alone_finds_a_rewritten_chain(original: tuple[Path, Head], tmp_path: Path) -> None:
    path, head = original
    write(path, forget_a_charge(read(path), random.Random(3)))
    (tmp_path / "no key").mkdir()
    result = verify(path, [head], key_folder=tmp_path / "no key")
    assert not result.seals_checked
    assert "rolled back or rewritten" in result.summary
    assert "seals not checked" in result.summary


def test_without_any_anchor_the_seals_find_a_rewritten_chain(original: tuple[Path, Head]) -> None:
    path, _ = original
    write(path, forget_a_charge(read(path), random.Random(3)))
    assert "was not sealed with the key at hand" in verify(path).summary


def test_a_ledger_refounded_with_another_key_is_told(original: tuple[Path, Head], tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "forged.sqlite", key_folder=tmp_path / "other"):
        pass
    assert "founded with another key" in verify(tmp_path / "forged.sqlite").summary
    assert verify(tmp_path / "forged.sqlite", key_folder=tmp_path / "other").ok


def test_a_byte_changed_anywhere_in_the_file_is_found_or_changes_no_row(original: tuple[Path, Head], tmp_path: Path) -> None:
    path, head = original
    rows, content, copy, dice = read(path), path.read_bytes(), tmp_path / "copy.sqlite", random.Random(5)
    found = 0
    for _ in range(200):
        changed = bytearray(content)
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        copy.write_bytes(changed)
        for log in tmp_path.glob("copy.sqlite-*"):
            log.unlink()
        if verify(copy, [head]).ok:
            assert read(copy) == rows
        else:
            found += 1
    assert found > 50


def sealed_by_its_owner(path: Path, keys: Path, rows: list[Row]) -> None:
    """Write rows with a chain and seals that are right, so that only their meaning can be wrong."""
    key = bytes.fromhex((keys / "ledger.key").read_text())
    write(path, rechained(rows, 0, Sealer(key, Entry(*rows[0]).content["ledger_id"]).seal))


def find_row(rows: list[Row], kind: str, number: int = 0) -> int:
    return [index for index, row in enumerate(rows) if row[2] == kind][number]


@pytest.mark.parametrize(
    ("kind", "column", "value", "text"),
    [
        ("dp", "spent_epsilon", 1, "has wrong totals"),
        ("grant", "granted_delta", 5, "has wrong totals"),
        ("not-dp", "spent_epsilon", -1, "has wrong totals"),
        ("dp", "kind", "cheap", "has a kind this tacit does not know"),
        ("not-dp", "kind", "ledger", "founds a ledger, but is not the first"),
        ("dp", "claimed", 6, "a block begins with one window"),
        ("steps", "claimed", 11, "not the block's next window"),
        ("steps", "claimed", 40, "not the block's next window"),
        ("steps", "claimed", 5, "not the block's next window"),
        ("steps", "block", 2, "content that cannot be read"),
        ("steps", "dataset", "clinic", "claims steps of a block of dataset 'survey'"),
        ("dp", "request_id", None, "has no request id"),
        ("not-dp", "request_id", None, "has no request id"),
        ("read-only", "request_id", None, "has no request id"),
        ("dp", "body", "{}", "content that cannot be read"),
        ("dp", "body", '{"block":{"event":{"event":"os.system"}},"purpose":""}', "not an event tacit knows"),
        ("grant", "body", '{"epsilon":-1.0,"delta":0.0}', "grants less than nothing"),
        ("grant", "body", '{"epsilon":1e999,"delta":0.0}', "content that cannot be read"),
        ("not-dp", "body", "null", "content that cannot be read"),
        ("dp", "time", "yesterday", "a field of the wrong type"),
    ],
)
def test_rows_that_are_sealed_but_say_something_impossible_are_found(
    original: tuple[Path, Head], keys: Path, kind: str, column: str, value: object, text: str
) -> None:
    """Even the key's owner cannot make the books say what did not happen."""
    path, _ = original
    rows = read(path)
    rows[find_row(rows, kind)][FIELDS.index(column)] = value
    if column == "time":
        write(path, rows)
    else:
        sealed_by_its_owner(path, keys, rows)
    result = verify(path)
    assert text in result.summary, result.summary


def test_a_block_charged_less_than_its_event_costs_is_found(path: Path, make_block: MakeBlock) -> None:
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=3.0, delta=1e-5)
        cheap = make_block(epsilon=0.2)  # it costs 0.2086
        ledger.reserve(cheap, dataset="survey", request_id="cheap", purpose="test")
    result = verify(path)
    assert "was charged epsilon 0.2; its event costs 0.208" in result.summary
    assert result.datasets["survey"].charged.epsilon == 0.2
    assert result.datasets["survey"].epsilon == pytest.approx(0.2086, abs=1e-4)


def test_spare_steps_are_part_of_the_price(path: Path, make_block: MakeBlock) -> None:
    block = make_block(steps=20, spare_steps=0)
    exact = epsilon(block.total_event, 1e-6)
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=3.0, delta=1e-5)
        ledger.reserve(make_block(steps=20, spare_steps=0, epsilon=exact), dataset="survey", request_id="a", purpose="test")
        assert verify(path).ok
        ledger.reserve(make_block(steps=20, spare_steps=1, epsilon=exact), dataset="survey", request_id="b", purpose="test")
        assert "row 4 was charged" in verify(path).summary


def test_a_block_with_replace_one_neighbours_is_not_covered_by_its_price(path: Path, make_block: MakeBlock) -> None:
    block = make_block()
    stronger = Guarantee(epsilon=0.25, delta=1e-6, neighbours=Neighbours.REPLACE_ONE)
    claim = Block(event=block.event, steps=20, spare_steps=10, checkpoint_every=5, guarantee=stronger)
    with Ledger.open(path) as ledger:
        ledger.grant("survey", epsilon=3.0, delta=1e-5)
        ledger.reserve(claim, dataset="survey", request_id="a", purpose="test")
    assert "replace-one" in verify(path).summary


def test_a_charge_past_the_grant_is_found_even_when_sealed(original: tuple[Path, Head], keys: Path) -> None:
    path, _ = original
    rows = [row for row in read(path) if not (row[2] == "grant" and row[3] == "survey")]
    sealed_by_its_owner(path, keys, rows)
    assert "passes the grant of dataset 'survey'" in verify(path).summary


def test_totals_and_the_list_without_epsilon_are_recomputed_per_dataset(original: tuple[Path, Head]) -> None:
    result = verify(original[0])
    account = result.datasets["survey"]
    assert set(result.datasets) == {"survey", "clinic"}
    assert (account.charged.epsilon, account.granted.epsilon, account.blocks) == (0.75, 4.0, 3)
    assert account.epsilon == pytest.approx(3 * 0.20858, abs=1e-4)
    assert account.delta == 3e-6
    assert account.not_dp == ("5-anonymous table",)
    assert "and without any epsilon: 5-anonymous table" in result.summary
    assert result.to_json()["datasets"]["survey"]["not_dp"] == ["5-anonymous table"]


def test_a_claim_of_steps_beyond_those_paid_is_found(original: tuple[Path, Head], keys: Path) -> None:
    path, _ = original
    with Ledger.open(path) as ledger:
        while ledger.resume("survey 0").steps_left:
            pass
    rows = read(path)
    again = list(next(row for row in reversed(rows) if row[2] == "steps"))
    sealed_by_its_owner(path, keys, [*rows, again])
    (problem,) = verify(path).problems
    assert "claims steps 30 to 30 of the 30 paid" in problem


def test_a_gap_in_the_numbers_is_found(original: tuple[Path, Head], keys: Path) -> None:
    path, _ = original
    rows = read(path)
    last = Entry(*rows[-1])
    sealer = Sealer(bytes.fromhex((keys / "ledger.key").read_text()), Entry(*rows[0]).content["ledger_id"])
    far = sealer.sealed((last.seq + 5, 0, "read-only", "survey", "far", None, None, '{"what":"x"}', *last[8:12], last.hash))
    write(path, [*rows, list(far)])
    (problem,) = verify(path).problems
    assert f"is numbered {last.seq + 5}" in problem


def test_one_wrong_total_is_one_problem_not_one_a_row(original: tuple[Path, Head], keys: Path) -> None:
    path, _ = original
    rows = read(path)
    for row in rows[4:]:
        if row[3] == "survey":
            row[10] += 7
    sealed_by_its_owner(path, keys, rows)
    assert len(verify(path).problems) == 1


def test_a_missing_ledger_is_an_error_not_an_answer(path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger at"):
        verify(path)
    assert not path.exists()


def test_verify_in_a_fresh_process_computes_the_same_epsilon_and_changes_nothing(original: tuple[Path, Head]) -> None:
    path, _ = original
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    code = f"from tacit.privacy.ledger import verify; print(repr(verify({str(path)!r}).datasets['survey'].epsilon))"
    environment = {**os.environ, "PYTHONPATH": str(Path(tacit.__file__).parents[1])}
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
    assert float(fresh) == verify(path).datasets["survey"].epsilon
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_a_ledger_is_verified_while_it_is_in_use(original: tuple[Path, Head]) -> None:
    path, head = original
    with Ledger.open(path) as ledger:
        ledger.record("read-only", dataset="survey", request_id="during", what="profile")
        with ledger._store:
            result = verify(path, [head])
    assert result.ok, result.summary
    assert result.count == head.count + 1
