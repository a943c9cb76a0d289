"""Where randomness comes from. Handed to whoever needs it, never fetched."""

import hmac
import itertools
import os
import struct
import threading
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.arithmetic import Library
from tacit.noise.keystream import Keystream
from tacit.noise.normal import Draws, check_count, memory_for


class Source(Protocol):
    """A source of random words and noise. Every call is one release: it takes a stream of its own.

    private -- whether its noise protects anyone; False for what is reproducible or zero. Reports show it.
    name    -- what records call it.
    """

    @property
    def private(self) -> bool: ...

    @property
    def name(self) -> str: ...

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        """Return shape (count,): independent uniform 64-bit words; count >= 0."""
        ...

    def normal(
        self, count: int, *, spread: float = 1.0, by: Library = "numpy", out: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return shape (count,): independent values of spread * N(0, 1), tails right beyond 9 sigma; count >= 0.

        spread -- standard deviation; between 2^-40 and 2^40.
        by     -- the library that does the arithmetic: "numpy", on one thread, or "torch", on as many as it has. The same law; other
                  values.
        out    -- memory to write into, shape (count,), contiguous; fresh memory costs a fifth of the time.
        """
        ...

    def draws(self, *, by: Library = "numpy") -> AbstractContextManager["NormalDraws"]:
        """Return the values of one release that is made piece by piece, for one thread, used up inside `with`."""
        ...


class NormalDraws(Protocol):
    """The normal values of one release, vector after vector."""

    def normal(self, count: int, *, spread: float = 1.0, out: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the next values, as Source.normal does."""
        ...


class _Keyed(ABC):
    """A source that draws every release from a keystream of its own; what differs is where the key comes from.

    private and name are each source's own.
    """

    private: bool
    name: str

    @abstractmethod
    def _stream(self) -> Keystream:
        """Return the keystream of one release, under a key that no other release has."""

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        return _uniform(self._stream(), count)

    def normal(
        self, count: int, *, spread: float = 1.0, by: Library = "numpy", out: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        with self.draws(by=by) as draws:
            return draws.normal(count, spread=spread, out=out)

    def draws(self, *, by: Library = "numpy") -> Draws:
        return Draws(self._stream(), by=by)


class OsSource(_Keyed):
    """The production source: AES-256-CTR under a fresh key for every release. It cannot be seeded.

    A release's key is HKDF-Expand (RFC 5869, one block of SHA-256) of a root key from the operating system over 32 fresh
    bytes of the operating system, process, thread, a counter and the clock. So a fork, a copy, a thread or a virtual
    machine restored from a snapshot draws different streams even where it shares the root and the counter; and were the
    fresh bytes ever repeated, process, thread, counter and clock still differ. Keys are overwritten after use as far as
    Python allows (the digest's own bytes object is dropped, not overwritten).
    """

    private = True
    name = "os-aes256-ctr"

    def __init__(self) -> None:
        self._root = os.urandom(32)
        self._releases = itertools.count()

    @classmethod
    def from_os(cls) -> "OsSource":
        """Return a source whose root key the operating system drew just now."""
        return cls()

    def _stream(self) -> Keystream:
        here = struct.pack("<QQQQ", os.getpid(), threading.get_ident(), next(self._releases), time.time_ns())
        info = b"tacit noise release" + os.urandom(32) + here
        return Keystream(bytearray(hmac.digest(self._root, info + b"\x01", "sha256")))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise PrivacyError(
            "a noise source cannot be copied, pickled or sent to another process: its root key would travel with it. "
            "Make a new one there with OsSource.from_os()."
        )

    def __repr__(self) -> str:
        return "OsSource()"


class SeededSource(_Keyed):
    """FOR TESTS AND SIMULATIONS ONLY: the same seed gives the same noise, so this noise protects nobody.

    Anyone who knows or guesses the seed subtracts the noise. Same code as the production source behind the key.
    seed -- any integer.
    """

    private = False
    name = "seeded-test"

    def __init__(self, seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ConfigError(f"a test seed is a whole number, got {seed!r}. For noise that protects use OsSource.from_os().")
        self._seed = seed
        self._releases = itertools.count()
        self._branch = 0

    def _stream(self) -> Keystream:
        text = f"{self._seed} {next(self._releases)}" + (f" branch {self._branch}" if self._branch else "")
        return Keystream(bytearray(hmac.digest(b"tacit TEST SOURCE, NOT PRIVATE", text.encode(), "sha256")))

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return which release comes next, for the checkpoint of a test that must repeat. Not while another thread draws."""
        following = next(self._releases)
        self._releases = itertools.count(following)
        return {"position": np.array([float(self._branch), float(following)])}

    def restore(self, state: dict[str, NDArray[np.float64]], *, branch: int = 0) -> None:
        """Go on after a checkpoint, as if uninterrupted; or, with a branch > 0 that no other run has, by draws never made before."""
        before, following = (int(value) for value in state["position"])
        self._branch, self._releases = (branch, itertools.count()) if branch else (before, itertools.count(following))

    def __repr__(self) -> str:
        return f"SeededSource({self._seed}, FOR TESTS AND SIMULATIONS ONLY, PROTECTS NOBODY)"


class Zeros:
    """Hands out noise of zero: only to show that an audit notices. Uniform words, which draw batches, stay real.

    Used by `tacit demo --break no-noise` and by nothing that exports.
    """

    private = False
    name = "zeros"

    def __init__(self) -> None:
        self._words = OsSource.from_os()

    def uniform_words(self, count: int) -> NDArray[np.uint64]:
        return self._words.uniform_words(count)

    def normal(
        self, count: int, *, spread: float = 1.0, by: Library = "numpy", out: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        values = memory_for(count, spread, out)
        values.fill(0.0)
        return values

    def draws(self, *, by: Library = "numpy") -> AbstractContextManager[NormalDraws]:
        return nullcontext(self)

    def __repr__(self) -> str:
        return "Zeros(NO NOISE AT ALL)"


def _uniform(stream: Keystream, count: int) -> NDArray[np.uint64]:
    with stream:
        check_count(count)
        words = np.empty(count, dtype=np.uint64)
        stream.fill(words.view(np.uint8))
    return words
