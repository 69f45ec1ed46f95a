"""The original's network as something that can be measured beside versions: it ranks tracks for a member."""

import numpy as np
import torch
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.features import Floats
from specrec.interactions import Rows
from specrec.paper.network import Rows as Inputs
from specrec.paper.network import SpotifyNet, predict
from specrec.paper.steps import Encoding, network_input
from specrec.scoring import Scores


class OriginalRanker:
    """A `specrec.rankers.Ranker`. The network knows ids alone: what a member's history holds changes nothing.

    With the original's encoding any id will do, as one bit of it is read; with `index` the members and tracks must be
    those that the network was trained on, in the order of `member_ids` and of the catalogue.
    """

    def __init__(
        self,
        network: SpotifyNet,
        catalogue: Catalogue,
        encoding: Encoding = "one-hot",
        member_ids: tuple[str, ...] = (),
    ) -> None:
        self._network = network
        self._rows = np.arange(len(catalogue))
        self._tracks = torch.from_numpy(network_input(list(catalogue.ids), encoding))
        self._encoding = encoding
        self._members = {member_id: row for row, member_id in enumerate(member_ids)}

    @property
    def rows(self) -> Rows:
        return self._rows

    def score(self, member_id: str, rows: Rows, weights: NDArray[np.float32]) -> Scores:
        """What it predicts is at once its order of the tracks, the match, and the compatibility score."""
        scores = self.compatibilities(member_id, rows, weights)
        return Scores(scores, scores)

    def compatibilities(self, member_id: str, rows: Rows, weights: NDArray[np.float32]) -> Floats:
        user = self._members[member_id] if self._encoding == "index" else int(network_input([member_id], "one-hot")[0])
        users = torch.full_like(self._tracks, user)
        predicted = predict(self._network, Inputs(users, self._tracks, torch.zeros(len(users), dtype=torch.double)))
        scores: Floats = predicted.numpy()
        return scores
