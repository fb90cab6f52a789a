"""Second-order optimization and curvature analysis.

    import hesse
    r = hesse.minimize(fun, x0, grad=grad, hvp=hvp, optimizer="newton-cg")
    e = hesse.eigenpairs(hesse.Operator(hessian_times_block, size=n), largest=5, smallest=5)

Operators     Operator; eigenpairs, trace, frobenius_square, diagonal, log_determinant, spectral_density,
              chebyshev_moments, inertia, solve
Objectives    Objective, LeastSquares, problem; minimize, classify, find_stationary, sharpness, check_derivatives
Records       load_run, load_point, load_safetensors, save_safetensors

Vectors are arrays of shape (n,), blocks of vectors (n, k), all in double. What is wrong with the use of a function
raises hesse.Error; what comes of the numbers (not converged, not finite) is told by the Result.
"""

import json as _json
import os as _os

from . import _core
from ._core import (ChebyshevMoments, Error, LeastSquares, Objective, Operator, Problem, SpectralDensity, __version__,
                    check_derivatives, chebyshev_moments, classify, diagonal, eigenpairs, find_stationary,
                    frobenius_square, inertia, log_determinant, optimizers, problem, set_threads, sharpness,
                    sharpness_measures, solve, spectral_density, threads, trace)
from ._result import Result

__all__ = [
    "ChebyshevMoments", "Error", "LeastSquares", "Objective", "Operator", "Problem", "Result", "SpectralDensity",
    "check_derivatives", "chebyshev_moments", "classify", "diagonal", "eigenpairs", "find_stationary",
    "frobenius_square", "inertia", "load_point", "load_run", "load_safetensors", "log_determinant", "minimize",
    "optimizers", "problem", "save_safetensors", "set_threads", "sharpness", "sharpness_measures", "solve",
    "spectral_density", "threads", "trace",
]


def minimize(fun, x0, *, grad=None, hvp=None, hess=None, finite_differences=False, noise=1e-15, optimizer="lbfgs",
             gradient_tolerance=1e-8, target=None, step_tolerance=0.0, plateau_tolerance=0.0, budget="10000steps",
             batch_size=0, seed=0, callback=None):
    """Minimises fun from x0 (n,) by any optimizer in the grammar of the command line.

    fun                 an Objective or Problem, or a callable; grad, hvp, hess, finite_differences and noise are then
                        those of Objective
    optimizer           "lbfgs:memory=20", "newton-cg", "newton+trust-region", "adam:lr=0.1+cosine", ...; see
                        `hesse list` and hesse.optimizers(). One that needs what fun lacks raises hesse.Error
    gradient_tolerance  on |g|; target: a value that is low enough; step_tolerance, plateau_tolerance: docs/optim.md
    budget              "500steps", "30s", "1000evaluations", "200products", "10epochs", several joined by commas
    batch_size          samples of a step where fun is a mean over samples; 0: all
    callback            called after each step with a Result of step, x, value and gradient_norm (before the step),
                        step_size and seconds; what is true ends the run

    Result, by SciPy's names: x (n,), fun, jac (n,), success, status (the termination), message, nit, nfev, njev, nhev
    (products); besides gradient_norm, gradient_equivalents, seconds and trace, a structured array with a row a step.
    """
    if isinstance(fun, Objective):
        if any(given is not None for given in (grad, hvp, hess)):
            raise Error("minimize: fun is an Objective already; give grad, hvp and hess to that")
        f = fun
    else:
        f = Objective(fun, len(x0), grad=grad, hvp=hvp, hess=hess, finite_differences=finite_differences, noise=noise)
    return _core._minimize(f, x0, optimizer, gradient_tolerance, target, step_tolerance, plateau_tolerance, budget,
                           batch_size, seed, callback)


def load_safetensors(path):
    """The tensors of a safetensors file: {name: array}, of float64, float32 and int64."""
    return _core._load_safetensors(_os.fspath(path))[0]


def save_safetensors(path, arrays, metadata=None):
    """Writes {name: array} (float64, float32, int64) and texts {key: text}; PyTorch and hesse read the file."""
    _core._save_safetensors(_os.fspath(path), dict(arrays), dict(metadata or {}))


def load_point(f, path):
    """x (n,) of f from a checkpoint, a run's folder, a safetensors file or a folder of NPY files, under the names of
    f's blocks or those of PyTorch (docs/weights.md)."""
    path = _os.fspath(path)
    for name in _core._checkpoint_files:
        if _os.path.exists(_os.path.join(path, name)):
            return _core._load_point(f, _os.path.join(path, name))
    return _core._load_point(f, path)


def load_run(folder):
    """A run's folder (docs/records.md) as a Result:

    record      run.json as a dictionary
    trace       trace.csv as a structured array with a row for each line; None where there is none
    parameters  {name: array} of the newest checkpoint that is whole; None where there is none
    checkpoint  its file
    """
    import numpy

    folder = _os.fspath(folder)
    file = _os.path.join(folder, _core._run_file)
    try:
        with open(file, encoding="utf-8") as text:
            record = _json.load(text)
    except (OSError, ValueError) as error:
        raise Error(f"{file}: no record of a run can be read there: {error}") from None
    trace = None
    if _os.path.exists(_os.path.join(folder, _core._trace_file)):
        columns, table = _core._read_trace(_os.path.join(folder, _core._trace_file))
        trace = numpy.zeros(len(table), dtype=[(column, "f8") for column in columns])
        for i, column in enumerate(columns):
            trace[column] = table[:, i]
    checkpoints = [_os.path.join(folder, name) for name in _core._checkpoint_files]
    checkpoints = [name for name in checkpoints if _os.path.exists(name)]
    parameters = checkpoint = None
    for i, checkpoint in enumerate(checkpoints):
        try:
            parameters = _core._checkpoint_parameters(checkpoint)
            break
        except Error:
            if i + 1 == len(checkpoints):
                raise
    return Result(record=record, trace=trace, parameters=parameters, checkpoint=checkpoint)
