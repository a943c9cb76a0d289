"""What an independent check says."""

from dataclasses import dataclass

from tacit.errors import PrivacyError


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What an independent check found; a release with a problem must not leave.

    checks -- what was checked; problems -- what was wrong, in words without values of the data.
    """

    checks: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems

    def require(self) -> None:
        """Raise PrivacyError unless the release passed."""
        if self.problems:
            raise PrivacyError(
                f"the independent check refused the release: {'; '.join(self.problems)}. Nothing may leave: the table "
                "does not keep its promise. Please report this as a fault of tacit, with the settings."
            )
