"""What the ledger says when it refuses: what was wrong, what was given, why it matters, what to do next."""

import shlex
from pathlib import Path

from tacit.errors import BudgetExceeded, ConfigError, LedgerError
from tacit.privacy.ledger.chain import DP, Entry
from tacit.privacy.ledger.units import Budget


def budget(path: Path, dataset: str, cost: tuple[int, int], totals: tuple[int, int, int, int]) -> BudgetExceeded:
    """The dataset's grant does not hold the block. All in units of 1e-9 (epsilon) and 1e-18 (delta); printed exactly.

    totals -- epsilon and delta granted, epsilon and delta spent.
    """
    granted, left = totals[:2], (totals[0] - totals[2], totals[1] - totals[3])
    asked, rest, whole = (Budget.from_units(*units) for units in (cost, left, granted))
    names = f"{shlex.quote(str(path))} {shlex.quote(dataset)}"
    lacking = Budget.from_units(max(0, cost[0] - left[0]), max(0, cost[1] - left[1]))
    command = f"tacit ledger grant {names} --epsilon {lacking.epsilon!r} --delta {lacking.delta!r}"
    if granted == (0, 0):
        return BudgetExceeded(
            f"this plan costs epsilon {asked.epsilon!r} at delta {asked.delta!r}; dataset {dataset!r} has no budget yet.\n"
            f"Nothing was reserved or released. The data's owner grants it with `{command}`."
        )
    fits = (
        f"A plan that fits costs at most epsilon {rest.epsilon!r} at delta {rest.delta!r}; or the data's owner grants more: "
        if min(left) > 0
        else "The budget is spent; only the data's owner can grant more: "
    )
    return BudgetExceeded(
        f"this plan costs epsilon {asked.epsilon!r} at delta {asked.delta!r}; for dataset {dataset!r} the ledger has epsilon "
        f"{rest.epsilon!r} left of {whole.epsilon!r} and delta {rest.delta!r} left of {whole.delta!r}.\n"
        f"Nothing was reserved or released. {fits}`{command}`."
    )


def grant_too_large(dataset: str, granted: tuple[int, int]) -> ConfigError:
    return ConfigError(
        f"with this grant dataset {dataset!r} would have {Budget.from_units(*granted)}: that promises nothing to anyone. "
        "Nothing was granted. Grant less; delta belongs well under 1 / number of people."
    )


def request_id_taken(entry: Entry | None) -> ConfigError | LedgerError:
    """A request id names one thing for ever: used again, it must not run anything without paying."""
    if entry is None:
        return LedgerError(
            "the ledger's index knows a request id that its rows lack: the file is damaged, so nothing was charged. "
            "Restore it from a copy for which `tacit ledger verify` reports no problem."
        )
    if entry.kind != DP:
        return ConfigError(
            f"request id {entry.request_id!r} is taken by row {entry.seq}, a {entry.kind} entry with another content. An id "
            "names one access for ever, so nothing was charged or released. Use a new request id."
        )
    return ConfigError(
        f"request id {entry.request_id!r} is taken by row {entry.seq}, a block charged on {entry.when:%Y-%m-%d %H:%M} UTC. "
        "Reserving it again would release without paying, so nothing was charged or released. "
        f"To go on with its unused steps call resume({entry.request_id!r}); for a new plan use a new request id."
    )


def no_block(request_id: str, entry: Entry | None) -> LedgerError:
    found = "the ledger has no entry of that name" if entry is None else f"row {entry.seq} of that name is a {entry.kind} entry"
    return LedgerError(
        f"there is no block {request_id!r} to resume: {found}. Steps run only inside a block that was paid for, so nothing was "
        "released. Reserve it first, or check that this is the ledger of the run."
    )


def key_missing(path: Path, key: Path) -> LedgerError:
    return LedgerError(
        f"the ledger {path} exists but its signing key {key} does not. A row without its seal would look forged, so nothing was "
        "charged. Restore the key, or name its folder in the environment variable TACIT_KEYS."
    )


def key_differs(path: Path, key: Path) -> LedgerError:
    return LedgerError(
        f"the ledger {path} is sealed with another key than {key}. It was made by someone else or rewritten, so nothing was "
        "charged. Name the right key's folder in the environment variable TACIT_KEYS, or start a ledger of your own."
    )
