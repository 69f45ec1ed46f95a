"""Whether a trained version may answer members: decided from what was measured, in one sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_MEAN_JACCARD = 0.8  # of two members' top tens; 1 is the same list for everybody
MIN_DISTINCT = 0.5  # distinct top tens per member
MIN_HELD_OUT = 20  # interactions; with fewer, better or worse than popularity is chance


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` says why not; of an accepted version it says what could not be measured, or nothing."""

    accepted: bool
    reason: str | None = None


def judge(report: Mapping[str, Any]) -> Verdict:
    """`report` is what specrec.training measured on interactions that the weights have not seen.

    A community too small to hold anything back is not refused for it: its members would never get a model.
    """
    if not report["finite"]:
        return Verdict(False, "Its numbers are not finite: it would rank tracks at random.")
    lists, distinct, shared = report["lists"], report["distinct_top_tens"], report["mean_jaccard"]
    if lists >= 2 and distinct < MIN_DISTINCT * lists:
        return Verdict(False, f"It has collapsed: {lists} members would get only {distinct} different lists.")
    if shared is not None and shared > MAX_MEAN_JACCARD:
        return Verdict(
            False, f"It has collapsed: two members' lists are the same for {shared:.0%} of their tracks, on average."
        )
    if report["interactions_held_out"] < MIN_HELD_OUT:
        return Verdict(True, "There is too little to hold back for a comparison with what is simply popular.")
    model, popular = report["ndcg_at_10"]["model"], report["ndcg_at_10"]["popularity"]
    if not model > popular:
        return Verdict(
            False,
            f"It finds what members like no better than a list of what is simply popular "
            f"(NDCG@10 {model:.3f} against {popular:.3f}).",
        )
    return Verdict(True)
