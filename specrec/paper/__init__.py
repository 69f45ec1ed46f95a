"""The student project that this one takes over from, replayed: its pipeline, its collapse and the causes of it."""

from specrec.paper.steps import (
    get_scores,
    get_train_test_data,
    item_to_onehot,
    onehot_to_item,
    process_track_data,
    process_user_data,
)

__all__ = [
    "get_scores",
    "get_train_test_data",
    "item_to_onehot",
    "onehot_to_item",
    "process_track_data",
    "process_user_data",
]
