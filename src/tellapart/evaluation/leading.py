"""The largest eigenvalues of a symmetric matrix, without all others. In: a matrix. Out: eigenvalues, vectors. Next: intervals.py.

Block Lanczos with every block made orthogonal to all before it (Golub and Van Loan 2013, Matrix Computations, section 10.3.6). That
none was missed, as may happen where many are equal, a Cholesky factor tells: with the found ones taken out, the highest one left is
below a bound exactly where the bound less the matrix is positive definite. NumPy finds all or none, SciPy's import takes longer.

Shapes: n rows, R eigenvalues wanted, m columns of the basis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_BLOCK = 16
_SMALL = 300  # rows, up to which all are found as quickly
_LARGEST_SHARE = 0.5  # of the rows, the basis; with more columns all eigenvalues are as cheap
_MORE = 1.25  # times as many columns until the next look whether they suffice
_CONVERGED = 1e-10  # a residual, beside the largest eigenvalue
_ABOVE = 1.001  # of the smallest one wanted, the bound


def leading_eigenvectors(matrix: Doubles, wanted: int) -> tuple[Doubles, Doubles]:
    """The `wanted` largest eigenvalues of `matrix` [n, n], rising, [R], and their vectors [n, R].

    `matrix` is symmetric, without an eigenvalue below 0.
    """
    found = _lanczos(matrix, wanted) if len(matrix) > _SMALL else None
    if found is None or not _are_all(matrix, *found):
        values, vectors = np.linalg.eigh(matrix)
        return values[-wanted:], vectors[:, -wanted:]
    return found


def _lanczos(matrix: Doubles, wanted: int) -> tuple[Doubles, Doubles] | None:
    """None where the basis would grow too large, or cannot grow."""
    count = len(matrix)
    most = int(_LARGEST_SHARE * count)
    block = np.linalg.qr(np.random.default_rng(0).normal(size=(count, _BLOCK)))[0].T
    basis = np.empty((most + _BLOCK, count))  # a vector a row
    inside = np.zeros((most + _BLOCK, most + _BLOCK))  # the matrix, seen in the basis: three blocks wide
    tried = wanted
    for start in range(0, most, _BLOCK):
        end = start + _BLOCK
        near = slice(max(0, start - _BLOCK), end)
        basis[start:end] = block
        image = block @ matrix
        inside[start:end, near] = image @ basis[near].T
        inside[near, start:end] = inside[start:end, near].T
        image -= inside[start:end, near] @ basis[near]
        image -= (image @ basis[:end].T) @ basis[:end]  # what rounding left
        turned, beyond = np.linalg.qr(image.T)
        block = turned.T
        if end < _MORE * tried:
            continue
        tried = end
        values, mixtures = np.linalg.eigh(inside[:end, :end])
        values, mixtures = values[-wanted:], mixtures[:, -wanted:]
        if np.linalg.norm(beyond @ mixtures[-_BLOCK:], axis=0).max() <= _CONVERGED * values[-1]:
            return values, basis[:end].T @ mixtures
    return None


def _are_all(matrix: Doubles, values: Doubles, vectors: Doubles) -> bool:
    """Whether no eigenvalue above the smallest of `values` [R] is missing among them."""
    left = (vectors * values) @ vectors.T - matrix
    left[np.diag_indices_from(left)] += _ABOVE * values[0]
    try:
        np.linalg.cholesky(left.astype(np.float32))
    except np.linalg.LinAlgError:
        return False
    return True
