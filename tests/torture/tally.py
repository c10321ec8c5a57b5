"""What a campaign counts and says."""

import collections
import dataclasses
import time


@dataclasses.dataclass
class Tally:
    """Counts outcomes of one campaign, and keeps what must not happen.

    Attributes:
        name: of the campaign.
        counts: outcome in a few words -> how often.
        failures: one line each.
    """

    name: str
    counts: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    failures: list[str] = dataclasses.field(default_factory=list)
    begun: float = dataclasses.field(default_factory=time.monotonic)

    def held(self, outcome: str) -> None:
        """Counts what is as it should be."""
        self.counts[outcome] += 1

    def failed(self, what: str) -> None:
        """Keeps what must not happen."""
        self.counts["FAILED"] += 1
        self.failures.append(what)

    def lines(self) -> list[str]:
        """Returns the report: a line of counts, and a line a failure."""
        seconds = time.monotonic() - self.begun
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in self.counts.most_common())
        return [
            f"{self.name}: {sum(self.counts.values()):,} tries in {seconds:,.0f} s: {counts}",
            *(f"  {failure}" for failure in self.failures),
        ]
