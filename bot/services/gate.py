"""Whether a trained version may answer members: decided from what was measured, in one sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOP = 10
FEWEST_MEASURED = 2  # members with something set aside: of one there is no error to tell


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the host's settings ask of a version, so that it has not collapsed. All are shares, 0-1."""

    distinct: float = 0.5
    """Of the top tens, different ones."""
    coverage: float = 0.02
    """Distinct tracks in the top tens, of as many as there could be."""
    spread: float = 0.01
    """Standard deviation of one member's matches."""
    distance: float = 0.2
    """1 − the mean Jaccard of two members' top tens."""


DEFAULTS = Thresholds()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` says why not; of an accepted version it says what could not be measured, or nothing."""

    accepted: bool
    reason: str | None = None


def judge(report: Mapping[str, Any], thresholds: Thresholds = DEFAULTS) -> Verdict:
    """`report` is what specrec.training measured on interactions that no weights have seen.

    Every version that has collapsed is refused for that, also where nothing could be set aside; then it has to beat
    popularity, and must not be worse than the live version by more than the standard error of the difference.
    """
    if not report["finite"]:
        return Verdict(False, "Its numbers are not finite: it would rank tracks at random.")
    if collapse := _collapse(report, thresholds):
        return Verdict(False, f"It has collapsed: {collapse}.")
    if report["members_measured"] < FEWEST_MEASURED:
        return Verdict(
            False,
            f"There is too little to measure it by: {report['interactions_held_out']} interactions of "
            f"{report['members_measured']} members could be set aside, and it takes {FEWEST_MEASURED} members with ten "
            "tracks or more.",
        )
    model, popular = report["ndcg_at_10"]["model"], report["ndcg_at_10"]["popularity"]
    if not model > popular:
        return Verdict(
            False,
            f"It finds what members like no better than a list of what is simply popular "
            f"(NDCG@10 {model:.3f} against {popular:.3f}).",
        )
    return _beside_live(report)


def coverage_reached(report: Mapping[str, Any]) -> float:
    """0-1: distinct tracks in the measured top tens, of as many as there could be."""
    possible = min(1.0, TOP * report["lists"] / report["tracks"])
    return float(min(1.0, report["coverage"] / possible))


def distinct_share(report: Mapping[str, Any]) -> float:
    """0-1: different top tens, of all that were measured."""
    return float(report["distinct_top_tens"] / report["lists"])


def _collapse(report: Mapping[str, Any], thresholds: Thresholds) -> str | None:
    """What tells of it, in words."""
    if report["spread"] is not None and report["spread"] < thresholds.spread:
        return (
            "all tracks match a member nearly the same, with a standard deviation of "
            f"{100 * report['spread']:.2f} percentage points"
        )
    if report["lists"] < 2:
        return None
    lists, distinct, distance = report["lists"], report["distinct_top_tens"], report["inter_member_distance"]
    if distinct_share(report) < thresholds.distinct:
        return f"{lists} members would get only {distinct} different lists, were it not for what each of them knows"
    if distance < thresholds.distance:
        return f"two members' lists are the same for {1 - distance:.0%} of their tracks, on average"
    if coverage_reached(report) < thresholds.coverage:
        return f"the lists of {lists} members hold only {coverage_reached(report):.1%} of the tracks that they could"
    return None


def _beside_live(report: Mapping[str, Any]) -> Verdict:
    live, beside = report["live"], report["beside_live"]
    if live is None:
        return Verdict(True)
    if beside is None:
        return Verdict(True, "The live version could not be opened, so the two were not compared.")
    mean, error = beside["difference"]["mean"], beside["difference"]["standard_error"]
    if mean is None or error is None:
        return Verdict(
            True, "Too few members could be set aside from the live version's training too to compare the two."
        )
    if mean < -error:
        return Verdict(
            False,
            f"It finds what members like worse than the live version does: NDCG@10 {beside['model']:.3f} against "
            f"{beside['live']:.3f} with the same {beside['members']} members, a difference of {mean:+.3f} with a "
            f"standard error of {error:.3f}.",
        )
    return Verdict(True)
