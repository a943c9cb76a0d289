"""How a training is paid for: a new block, or the rest of the one that a killed run paid for."""

from dataclasses import dataclass

from tacit.errors import BudgetExceeded, ConfigError, RunError
from tacit.privacy.ledger import Entry, Ledger, Reservation
from tacit.privacy.ledger.blocks import block_from_json
from tacit.train.plan import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """Which ledger pays for a training, from which budget and under which name.

    ledger     -- open. budget -- the name in it to spend from.
    request_id -- unique in the ledger; names the block when a killed run resumes.
    purpose    -- what the ledger says the block was for.
    """

    ledger: Ledger
    budget: str
    request_id: str
    purpose: str

    @property
    def unpaid(self) -> bool:
        """Whether the ledger has no entry of this name."""
        return self.ledger.find(self.request_id) is None

    def reserve(self, plan: Plan) -> Reservation:
        """Charge the plan's block.

        Raises BudgetExceeded, with the plan of as many steps that fits, or ConfigError when the request id is taken: nothing was charged then.
        """
        plan.refuse_underpriced()
        try:
            return self.ledger.reserve(plan.block, dataset=self.budget, request_id=self.request_id, purpose=self.purpose)
        except BudgetExceeded as refusal:
            raise BudgetExceeded(f"{refusal}{self._fitting(plan)}") from None

    def resume(self, plan: Plan, *, first_step: int) -> Reservation:
        """Go on with the block that a killed run of the same plan paid for, or pay for it when none did.

        first_step -- steps that the checkpoint holds; 0 without one.
        Every step claimed before counts as spent. Raises RunError when the block is another's, or used up.
        """
        entry = self.ledger.find(self.request_id)
        if entry is None and first_step == 0:
            return self.reserve(plan)
        if (
            entry is None
            or entry.dataset != self.budget
            or "block" not in entry.content
            or block_from_json(entry.content["block"]) != plan.block
        ):
            raise RunError(
                f"request {self.request_id!r} did not pay for this plan from the budget {self.budget!r}, so this training may not go on "
                "with it: its steps would be charged to others or accounted with the wrong noise. Use a new request id, and a budget for it."
            )
        left = plan.block.paid_steps - self._claimed(entry)
        if first_step == 0 and left < plan.steps / 2:
            raise RunError(
                f"request {self.request_id!r} was paid for and its steps are used up: {left} of {plan.steps} are left, and no checkpoint of "
                "what they trained is at hand. A model trained on the rest alone would be worth little. Restore the trained model, or "
                "make a new request with a budget of its own."
            )
        return self.ledger.resume(self.request_id)

    def record(self, what: str) -> None:
        """Write down, before it happens, a release that no epsilon covers."""
        self.ledger.record("not-dp", dataset=self.budget, request_id=f"{self.request_id}/{what}", what=what)

    def _fitting(self, plan: Plan) -> str:
        """Return the plan of these steps that the rest of the budget holds, in words; nothing where there is none."""
        rest = self.ledger.left(self.budget)
        delta = min(plan.guarantee.delta, rest.delta)
        try:
            noise = plan.noise_within(epsilon=rest.epsilon, delta=delta)
        except ConfigError:  # nothing is left, or too little for any noise
            return ""
        return (
            f"\nThe same {plan.steps:,} steps fit with noise multiplier {noise:.4g} in place of {plan.noise_multiplier:.4g}: "
            f"plan with epsilon={rest.epsilon!r}, delta={delta!r}."
        )

    def _claimed(self, entry: Entry) -> int:
        """Return how many steps of the block the ledger counts as spent."""
        return max(one.claimed or 0 for one in self.ledger.entries() if entry.seq in (one.seq, one.block))
