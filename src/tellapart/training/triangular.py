"""Linear equations with a triangular matrix. In: a positive definite matrix. Out: a factor that solves. Next: quasi_newton.py.

Cholesky's factor and substitution block by block (Golub and Van Loan 2013, Matrix Computations, sections 4.2.6 and 3.1.4): the
blocks on the diagonal are inverted once, the rest are matrix products. NumPy has no substitution, and its factor takes three
times as long.

Shapes: D features, C columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_BLOCK = 64  # rows


class Triangle:
    """The lower triangular L [D, D] with L @ L.T = a matrix."""

    def __init__(self, matrix: Floats) -> None:
        """`matrix` [D, D] is symmetric. Raises: numpy.linalg.LinAlgError where rounding says that it is not positive definite."""
        size = len(matrix)
        self.lower: Floats = np.zeros_like(matrix)
        self._blocks = [slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]
        self._inverses: list[Floats] = []
        for block in self._blocks:
            done, below = slice(0, block.start), slice(block.start, None)
            left = matrix[below, block] - self.lower[below, done] @ self.lower[block, done].T
            self.lower[block, block] = np.linalg.cholesky(left[: block.stop - block.start])
            self._inverses.append(np.linalg.inv(self.lower[block, block]))
            self.lower[block.stop :, block] = left[block.stop - block.start :] @ self._inverses[-1].T

    def solve(self, right: Floats, *, transposed: bool) -> Floats:
        """X with L @ X = `right` [D, C], or where `transposed` L.T @ X = `right`."""
        solved = right.copy()
        places = list(zip(self._blocks, self._inverses, strict=True))
        for block, inverse in reversed(places) if transposed else places:
            known = slice(block.stop, None) if transposed else slice(0, block.start)
            beside = self.lower[known, block].T if transposed else self.lower[block, known]
            solved[block] = (inverse.T if transposed else inverse) @ (solved[block] - beside @ solved[known])
        return solved
