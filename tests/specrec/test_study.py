"""A study by hand: who is tuned on what, what is measured where, and how the figures become a table."""

import os
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import numpy as np
import pytest

from specrec.baselines.base import Predictions
from specrec.baselines.item_knn import ItemKNN
from specrec.baselines.popularity import Popularity
from specrec.errors import TrainingError
from specrec.interactions import Interaction
from specrec.measuring import Measures
from specrec.progress import Progress, silent
from specrec.protocols import split
from specrec.study.comparison import Comparison, Entry, compare
from specrec.study.process import apart
from specrec.study.record import record
from specrec.study.table import figure, markdown, signed
from specrec.study.trial import Trial, try_out
from specrec.study.tuning import Tuned, require_measurable, seeded, settings, tune
from tests.specrec.contender_rules import sample_of
from tests.specrec.work_apart import Refuses, exhaust, fail, hold, vanish, work

TODAY = date(2026, 1, 2)


@pytest.fixture(scope="module")
def sample(community):
    return sample_of(community.interactions, community.tracks)


# A process of its own


def test_work_is_done_elsewhere_and_says_how_it_goes():
    told: list[Progress] = []
    answer, pid = apart(work, 4, on_progress=told.append)
    assert answer == 5
    assert pid != os.getpid()
    assert told == [Progress("half", 0.5)]


@pytest.mark.parametrize(
    ("function", "words"),
    [(fail, "this cannot be"), (exhaust, "for want of memory"), (vanish, r"for want of memory.*exit code -9")],
)
def test_what_goes_wrong_there_is_told_here(function, words):
    with pytest.raises(TrainingError, match=words):
        apart(function)


def test_the_peak_is_that_of_the_work():
    raised, _ = apart(hold, 150)
    assert 140 < raised < 200


# Tuning


@dataclass(frozen=True)
class Fixed:
    """With `sign` above 0 what others with the same tracks like, below 0 what they do not."""

    sign: float = 1.0
    seed: int = 0
    name: str = "fixed"

    def fit(self, sample):
        return FixedScorer(self.sign * (sample.histories.T @ sample.histories).toarray())


@dataclass(frozen=True)
class FixedScorer:
    scores: np.ndarray

    def score(self, histories):
        return Predictions((histories @ self.scores).astype(np.float32))


def test_the_best_of_a_grid_is_taken_and_everything_tried_is_told(sample):
    cuts = [partial(split, sample, 0)]
    tuned = tune((Fixed(-1.0), Fixed(1.0), Fixed(2.0)), cuts, silent)
    assert tuned.contender == Fixed(1.0)  # the first of two equals
    tried = dict(tuned.tried)
    assert list(tried) == [Fixed(-1.0), Fixed(1.0), Fixed(2.0)]
    assert tried[Fixed(1.0)] == tried[Fixed(2.0)] > tried[Fixed(-1.0)]


def test_several_cuts_are_tuned_on_together(sample):
    cuts = [partial(split, sample, seed) for seed in (0, 1)]
    each = [dict(tune((ItemKNN(5), ItemKNN(500)), [cut], silent).tried) for cut in cuts]
    together = dict(tune((ItemKNN(5), ItemKNN(500)), cuts, silent).tried)
    for contender, value in together.items():
        assert value == pytest.approx(np.mean([of_one[contender] for of_one in each]))


def test_a_grid_of_one_is_not_tuned_and_without_a_validation_set_the_first_is_taken(sample):
    assert tune((Popularity(),), [partial(split, sample, 0)], silent) == Tuned(Popularity(), ())
    tiny = sample_of([Interaction("a", "1"), Interaction("a", "2"), Interaction("b", "1"), Interaction("b", "2")])
    assert tune((ItemKNN(7), ItemKNN(8)), [partial(split, tiny, 0)], silent) == Tuned(ItemKNN(7), ())


def test_seeds_reach_whoever_takes_one_and_are_no_setting():
    assert seeded(Fixed(), 7) == Fixed(seed=7)
    assert seeded(Popularity(), 7) == Popularity()
    assert settings(ItemKNN(20, 10.0)) == {"neighbours": 20, "shrink": 10.0}
    assert settings(Fixed(seed=3)) == {"sign": 1.0}


def test_a_trial_for_each_cut(sample):
    trials = try_out(Popularity(), [partial(split, sample, seed) for seed in (3, 4)], 0, silent)
    assert [trial.seed for trial in trials] == [3, 4]
    assert all(trial.fit_seconds >= 0 and trial.peak_memory_mb > 20 and trial.ablation == {} for trial in trials)
    assert not np.array_equal(trials[0].measures.ndcg_at_10, trials[1].measures.ndcg_at_10)


def test_nothing_to_measure_is_refused():
    with pytest.raises(TrainingError, match="nothing to measure by the protocol split: it needs members who like at"):
        require_measurable(split(sample_of([Interaction("a", "1"), Interaction("b", "1")]), 0))


# Side by side


def test_a_peer_that_cannot_take_part_is_left_out_with_its_reason(sample):
    told: list[Progress] = []
    found = compare(
        Popularity(), [(Refuses(),), (ItemKNN(5), ItemKNN(500))], [partial(split, sample, 0)], on_progress=told.append
    )
    assert list(found.entries) == ["popularity", "item_knn"]
    assert found.left_out == {"refuses": "it does not like this data"}
    assert len(found.entries["item_knn"].tuned.tried) == 2
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    lines = markdown(record(found, sample, "split", TODAY))
    assert any(line == "Left out: refuses, as it does not like this data." for line in lines)


def test_the_model_itself_may_not_fail(sample):
    with pytest.raises(TrainingError, match="does not like this data"):
        compare(Refuses(), [], [partial(split, sample, 0)])


def measures(ndcg, members=("a", "b", "c"), lists=((0, 1), (1, 2), (3, 4))):
    """The other measures are multiples of NDCG."""
    values = np.array(ndcg, dtype=np.float64)
    rows = np.full((len(members), 10), -1)
    rows[:, :2] = lists
    nothing = np.zeros(0)
    return Measures(
        tuple(members), values / 2, values, values, values / 4, rows, 10, nothing.astype(np.int64), nothing, None
    )


def entry(contender, *of_seeds, ablation=None):
    trials = [Trial(seed, of_seed, 1.5, 100.0, ablation or {}) for seed, of_seed in enumerate(of_seeds)]
    return Entry(Tuned(contender, ()), tuple(trials))


def recorded(sample, *entries, **others):
    return record(Comparison({one.tuned.contender.name: one for one in entries}, {}), sample, "split", TODAY, **others)


def test_figures_by_hand(sample):
    ours, theirs = measures([0.3, 0.5, 0.7]), measures([0.2, 0.5, 0.5])
    worse = measures([0.1, 0.1, 0.1])
    found = recorded(sample, entry(Fixed(), ours), entry(ItemKNN(), theirs), entry(Popularity(), worse))
    model = found["models"]["fixed"]
    assert model["ndcg_at_10"] == {"mean": pytest.approx(0.5), "standard_error": pytest.approx(0.2 / 3**0.5)}
    assert model["recall_at_10"]["mean"] == pytest.approx(0.25)
    assert model["coverage"]["mean"] == pytest.approx(5 / 10)
    assert model["inter_member_distance"]["mean"] == pytest.approx(1 - (1 / 3) / 3)
    assert model["compatibility_r2"] == {"mean": None, "standard_error": None}
    assert (model["fit_seconds"], model["peak_memory_mb"]) == (1.5, 100.0)
    assert found["best_peer"] == "item_knn"
    paired = np.array([0.1, 0.0, 0.2])
    difference = {"mean": pytest.approx(0.1), "standard_error": pytest.approx(paired.std(ddof=1) / 3**0.5)}
    assert model["difference_to_best_peer"]["ndcg_at_10"] == difference
    assert found["differences"]["popularity"]["ndcg_at_10"]["mean"] == pytest.approx(0.4)
    assert found["models"]["item_knn"]["difference_to_best_peer"] is None
    assert found["against_best_peer"]["ratio"] == pytest.approx(1.25)
    assert found["against_best_peer"]["holds"] is True
    assert found["members_measured"] == 3


def test_a_member_measured_with_several_seeds_counts_as_one_when_it_comes_to_the_error(sample):
    once = recorded(sample, entry(Fixed(), measures([0.3, 0.5, 0.7])))
    twice = recorded(sample, entry(Fixed(), measures([0.3, 0.5, 0.7]), measures([0.3, 0.5, 0.7])))
    for measure in ("ndcg_at_10", "coverage", "inter_member_distance"):
        for part in ("mean", "standard_error"):
            assert twice["models"]["fixed"][measure][part] == pytest.approx(once["models"]["fixed"][measure][part])
    others = measures([0.3, 0.5, 0.7], members=("d", "e", "f"))
    more = recorded(sample, entry(Fixed(), measures([0.3, 0.5, 0.7]), others))
    assert more["members_measured"] == 6
    error = np.std([0.3, 0.5, 0.7] * 2, ddof=1) / 6**0.5
    assert more["models"]["fixed"]["ndcg_at_10"]["standard_error"] == pytest.approx(error)


@pytest.mark.parametrize(
    ("ours", "holds", "words"),
    [
        ([0.6, 0.4, 0.5], True, "it holds against it"),
        ([0.48, 0.52, 0.49], True, "it holds against it"),  # below, but by less than the error
        ([0.3, 0.31, 0.29], False, "it does not hold against it"),
    ],
)
def test_what_holds(sample, ours, holds, words):
    found = recorded(sample, entry(Fixed(), measures(ours)), entry(ItemKNN(), measures([0.5, 0.5, 0.5])))
    assert found["against_best_peer"]["holds"] is holds
    assert any(words in line for line in markdown(found))


def test_one_member_is_too_few_to_say(sample):
    one = replace(measures([0.5], members=("a",), lists=((0, 1),)))
    found = recorded(sample, entry(Fixed(), one), entry(ItemKNN(), one))
    assert found["against_best_peer"]["holds"] is None
    assert any("too few members to say" in line for line in markdown(found))


def test_without_peers_there_is_nothing_to_stand_against(sample):
    found = recorded(sample, entry(Fixed(), measures([0.3, 0.5, 0.7])))
    assert found["best_peer"] is None
    assert found["differences"] == {}
    assert not any("best single peer" in line for line in markdown(found))


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ([0.2, 0.4, 0.6], "adds at most +0.100 ± .000 NDCG@10 beside the best without it (without deep)"),
        ([0.3, 0.5, 0.7], "adds nothing that can be told from chance"),
        ([0.4, 0.6, 0.8], "adds nothing on this data, where the whole network is not the best: -0.100"),
    ],
)
def test_what_the_deep_branch_adds_is_said(sample, without, words):
    parts = {"wide alone": measures([0.1, 0.2, 0.3]), "without deep": measures(without)}
    found = recorded(sample, entry(Fixed(), measures([0.3, 0.5, 0.7]), ablation=parts))
    assert found["ablation"]["wide alone"]["ndcg_at_10"]["mean"] == pytest.approx(0.2)
    lines = markdown(found)
    assert any(line.startswith("| wide alone | 0.200") for line in lines)
    assert any(words in line for line in lines)


def test_the_deep_branch_is_held_against_the_best_that_is_made_without_it(sample):
    """Not against a fusion whose gates were found for another one, where a single branch does better."""
    parts = {
        "wide alone": measures([0.2, 0.4, 0.6]),
        "deep alone": measures([0.3, 0.5, 0.7]),
        "without deep": measures([0.0, 0.0, 0.0]),
    }
    found = recorded(sample, entry(Fixed(), measures([0.3, 0.5, 0.7]), ablation=parts))
    assert any(
        "at most +0.100 ± .000 NDCG@10 beside the best without it (wide alone)" in line for line in markdown(found)
    )


def test_figures_in_a_table():
    assert figure({"mean": 0.2754, "standard_error": 0.0049}) == "0.275 ± .005"
    assert figure({"mean": 0.2754, "standard_error": None}) == "0.275"
    assert figure({"mean": None, "standard_error": None}) == "–"
    assert signed({"mean": -0.0001, "standard_error": 0.0}) == "+0.000 ± .000"
    assert signed({"mean": -0.001, "standard_error": None}) == "-0.001"
