"""Every peer with the settings it is tuned over. The first of each is what it has where nothing can be measured."""

from itertools import product

from specrec.baselines.als import ALS
from specrec.baselines.artist_count import ArtistCount
from specrec.baselines.base import Contender
from specrec.baselines.chance import Chance
from specrec.baselines.content import Content
from specrec.baselines.ease import EASE
from specrec.baselines.item_knn import ItemKNN
from specrec.baselines.popularity import Popularity

GRIDS: tuple[tuple[Contender, ...], ...] = (
    (Chance(),),
    (Popularity(),),
    (Content("cosine"), Content("distance")),
    (ArtistCount(),),
    tuple(ItemKNN(neighbours, shrink) for shrink, neighbours in product((0.0, 10.0), (500, 100, 20))),
    tuple(EASE(ridge) for ridge in (60.0, 3.0, 10.0, 30.0, 120.0, 250.0, 500.0, 1_000.0)),
    tuple(
        ALS(factors, alpha, regularisation)
        for factors, alpha, regularisation in product((256, 64), (40.0, 10.0), (100.0, 30.0, 10.0))
    ),
)
