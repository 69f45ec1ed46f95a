"""The branches that are solved, not learned: track-to-track weights from the histories' Gram matrix.

- `wide`: ridge regression of every track on all others, EASE (Steck, "Embarrassingly shallow autoencoders", WWW 2019),
  with members weighted down by the length of their histories;
- `neighbour`: the Gram matrix itself, tracks that the same members like, as item-kNN does: what sparse data needs.

Both keep the strongest links of each track alone, and are made block by block: no matrix of all tracks × all tracks.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csc_array, csr_array, diags_array

from specrec.interactions import Histories, relative_weights
from specrec.links import Links

MOST_SOLVED = 10_000
"""Tracks that the ridge covers, those with most listeners: a dense matrix of 400 MB."""
MOST_LINKS = 20_000_000
"""Of all tracks together: 160 MB on disk."""
LINKS, LINKS_OF_MANY = 400, 200
"""Of one track, at most; and in catalogues above `MOST_SOLVED` tracks. With half as many nothing was lost that could be
measured, and serving follows all links of a history."""
LENGTH_EXPONENT = -0.5
RIDGE = 4.5
"""Times interactions / tracks."""
SOURCE_EXPONENT = -0.6
"""A track that everybody has says little about who has it."""
FEW = 0.4
"""Members by track up to which their own Gram matrix, in double precision, is the quicker and the smaller one."""
BLOCK = 1_024
"""Columns at a time, at most."""
ENTRIES = 2_000_000
"""Of one block: 16 MB a copy."""

Matrix = NDArray[np.float64] | NDArray[np.float32]
Part = tuple[NDArray[np.int64], NDArray[np.int64], Matrix]


def history_matrix(histories: Histories, tracks: int) -> csr_array:
    """(members, tracks) relative weights; what is merely known is left out."""
    weights = relative_weights(histories.weights, histories.members, len(histories))
    matrix = csr_array((weights, histories.tracks, histories.starts), shape=(len(histories), tracks))
    matrix.eliminate_zeros()
    return matrix


def listeners(histories: Histories, tracks: int) -> NDArray[np.float32]:
    """(tracks,) how many members have each track and do not dislike it."""
    return np.bincount(histories.tracks[histories.weights > 0], minlength=tracks).astype(np.float32)


def wide_links(matrix: csr_array) -> Links:
    """Ridge weights W with a diagonal of 0, of the tracks with most listeners. `matrix` as by `history_matrix`."""
    tracks = matrix.shape[1]
    heard = np.bincount(matrix.indices, minlength=tracks)
    covered = np.sort(np.argsort(-heard, kind="stable")[: min(MOST_SOLVED, int((heard > 0).sum()))])
    if not len(covered):
        return _collect([], tracks)
    part = matrix[:, covered]
    part = part[np.diff(part.indptr) > 0]
    lengths = np.diff(part.indptr)
    ridge = RIDGE * part.nnz / len(covered)
    members = diags_array(np.sqrt((lengths / lengths.mean()) ** LENGTH_EXPONENT))
    weighted = csr_array(members @ part)
    solve = _by_members if weighted.shape[0] < FEW * len(covered) else _by_tracks
    kept = _links_of_each(tracks)
    return _collect(
        (
            (covered[rows], np.broadcast_to(covered[first : first + block.shape[1]], rows.shape), values)
            for first, block in solve(weighted, ridge)
            for rows, values in [_strongest(block, kept)]
        ),
        tracks,
    )


def neighbour_links(matrix: csr_array) -> Links:
    """Σ over members of length^-½ · x_i · x_j, times listeners_i^-.6, with a diagonal of 0."""
    tracks = matrix.shape[1]
    lengths = np.maximum(np.diff(matrix.indptr), 1)
    heard = np.maximum(np.bincount(matrix.indices, minlength=tracks), 1)
    sources = csr_array(diags_array(heard**SOURCE_EXPONENT) @ matrix.T)  # (T, members)
    targets = csc_array(diags_array(lengths**LENGTH_EXPONENT) @ matrix)  # (members, T)
    kept = _links_of_each(tracks)
    entries = np.diff(matrix.indptr) @ (matrix != 0)  # (T,) at most, of each column of their product
    return _collect(
        (_strongest_sparse(csc_array(sources @ targets[:, part]), part.start, kept) for part in _blocks(entries)),
        tracks,
    )


def _links_of_each(tracks: int) -> int:
    return min(LINKS if tracks <= MOST_SOLVED else LINKS_OF_MANY, max(MOST_LINKS // tracks, 1))


def _by_members(matrix: csr_array, ridge: float) -> Iterator[tuple[int, Matrix]]:
    """W block by block of columns, from the members' Gram matrix: the cheaper way where members are fewer."""
    gram = (matrix @ matrix.T).toarray() + ridge * np.eye(matrix.shape[0])
    solved = cho_solve(cho_factor(gram, overwrite_a=True), matrix.toarray(), overwrite_b=True)  # (members, T)
    explained = np.asarray(matrix.multiply(solved).sum(axis=0)).ravel()  # (T,)
    turned = csr_array(matrix.T)
    for part in _blocks(np.full(matrix.shape[1], matrix.shape[1])):
        block = (turned @ solved[:, part]) / np.maximum(1 - explained[part], 1e-12)
        places = np.arange(block.shape[1])
        block[part.start + places, places] = 0.0
        yield part.start, block


def _by_tracks(matrix: csr_array, ridge: float) -> Iterator[tuple[int, Matrix]]:
    """The same from the tracks' Gram matrix, in single precision: W = −P / diag(P), P = (Gram + ridge)⁻¹."""
    gram = np.asfortranarray((matrix.T @ matrix).astype(np.float32).toarray())
    gram[np.diag_indices(len(gram))] += np.float32(ridge)
    factor, _ = spotrf(gram, lower=True, overwrite_a=True)
    inverse, _ = spotri(factor, lower=True, overwrite_c=True)
    diagonal = np.diag(inverse).copy()
    for part in _blocks(np.full(len(inverse), len(inverse))):
        first, last = part.start, part.stop
        block = np.concatenate((inverse[first:last, :first].T, inverse[first:, first:last]))
        corner = block[first:last]
        block[first:last] = np.tril(corner) + np.tril(corner, -1).T
        block = -block / diagonal[first:last]
        places = np.arange(last - first)
        block[first + places, places] = 0.0
        yield first, block


def _blocks(entries: NDArray[np.int64]) -> Iterator[slice]:
    """Columns with so many `entries` each, as many at a time as memory should hold, and at least one."""
    first = 0
    totals = np.cumsum(entries)
    while first < len(entries):
        before = totals[first - 1] if first else 0
        fitting = int(np.searchsorted(totals, before + ENTRIES, side="right"))
        last = min(max(fitting, first + 1), first + BLOCK, len(entries))
        yield slice(first, last)
        first = last


def _strongest(block: Matrix, count: int) -> tuple[NDArray[np.int64], Any]:
    """(count, columns) rows and values of the entries of each column that are largest without their sign."""
    if len(block) <= count:
        rows = np.broadcast_to(np.arange(len(block))[:, None], block.shape)
        return rows, block
    rows = np.argpartition(-np.abs(block), count, axis=0)[:count]
    return rows, np.take_along_axis(block, rows, axis=0)


def _strongest_sparse(block: csc_array, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Matrix]:
    """Sources, targets and weights of the `count` largest entries of each column, without their sign and diagonal."""
    columns = np.repeat(np.arange(block.shape[1]), np.diff(block.indptr))
    off = block.indices != columns + first
    rows, columns, values = block.indices[off], columns[off], block.data[off]
    if np.diff(block.indptr).max(initial=0) > count:
        order = np.argsort(_order_keys(rows, columns, values))
        sizes = np.bincount(columns, minlength=block.shape[1])
        places = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        kept = order[places < count]
        rows, columns, values = rows[kept], columns[kept], values[kept]
    return rows, columns + first, values


def _order_keys(rows: NDArray[np.int64], columns: NDArray[np.int64], values: Matrix) -> NDArray[np.uint64]:
    """By column, then by size without sign, largest first, then by row: in one number, as that is sorted quickest.

    10 bits, 31 of a float's 32, and 23: a block has 1,024 columns, a catalogue at most 8 million tracks.
    """
    sizes = np.abs(values.astype(np.float32)).view(np.int32).astype(np.uint64)
    keys = columns.astype(np.uint64) * np.uint64(2**54)
    keys += (np.uint64(2**31 - 1) - sizes) * np.uint64(2**23)
    keys += rows.astype(np.uint64)
    return keys


def _collect(parts: Iterable[Part], tracks: int) -> Links:
    """Blocks of (sources, targets, weights) -> Links by source."""
    sources: list[NDArray[Any]] = []
    targets: list[NDArray[Any]] = []
    weights: list[NDArray[Any]] = []
    for rows, columns, values in parts:
        present = values.ravel() != 0
        sources.append(rows.ravel()[present].astype(np.int32))
        targets.append(columns.ravel()[present].astype(np.int32))
        weights.append(values.ravel()[present].astype(np.float32))
    matrix = csr_array(
        (_joined(weights, np.float32), (_joined(sources, np.int32), _joined(targets, np.int32))),
        shape=(tracks, tracks),
    )
    matrix.sort_indices()
    return Links(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False), matrix.data)


def _joined(parts: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """One array of them all; the parts are let go, as there may be millions of links."""
    joined = np.concatenate([*parts, np.zeros(0, dtype=dtype)])
    parts.clear()
    return joined
