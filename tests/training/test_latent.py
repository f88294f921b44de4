"""Sparse rows as short ones. In: made rows. Out: what NumPy's whole decomposition says of them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tellapart.training.latent import latent


def test_it_keeps_the_distances_that_the_largest_directions_have() -> None:
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(60, 4)) @ chance.normal(size=(4, 300)) + 0.01 * chance.normal(size=(60, 300))
    matrix = sparse.csr_matrix(rows.astype(np.float32))
    found = latent(matrix, most=4)
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    wanted = left[:, :4] * sizes[:4]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=1e-3 * float(sizes[0]) ** 2)
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), sizes[:4], rtol=1e-3)


def test_small_and_empty_ones() -> None:
    assert latent(sparse.csr_matrix(np.eye(3, dtype=np.float32))).shape == (3, 3)
    assert not latent(sparse.csr_matrix((5, 7), dtype=np.float32)).any()
    assert latent(sparse.csr_matrix((5, 0), dtype=np.float32)).shape == (5, 1)
