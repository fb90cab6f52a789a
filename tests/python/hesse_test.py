"""The Python package against NumPy, SciPy and, where it is installed, PyTorch: python3 hesse_test.py.

Exit code 77 without NumPy or SciPy. Tolerances: a residual r of a symmetric matrix bounds the error of its eigenvalue
(Weyl), so that eigenvalues agree to the tolerance asked for and n eps |A| of either side's rounding.
"""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

try:
    import numpy as np
    import scipy.optimize
    import scipy.sparse
    import scipy.sparse.linalg
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

import hesse

try:
    import torch
except ImportError:
    torch = None

PROGRAM = os.environ.get("HESSE_PROGRAM")
EPS = np.finfo(float).eps


def symmetric(n, seed=0):
    """A symmetric matrix with entries of size 1."""
    A = np.random.default_rng(seed).standard_normal((n, n))
    return (A + A.T) / 2


def positive(n, seed=0):
    """A positive definite matrix with eigenvalues from 1 to n, at equal distances."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    A = Q @ np.diag(np.arange(1.0, n + 1)) @ Q.T
    return (A + A.T) / 2


def rosenbrock(x):
    return scipy.optimize.rosen(x)


class Operators(unittest.TestCase):
    def test_products_of_every_kind_of_operator_are_those_of_the_matrix(self):
        A = symmetric(30)
        X = np.random.default_rng(1).standard_normal((30, 4))
        kinds = {
            "array": hesse.Operator(A),
            "rows by Fortran": hesse.Operator(np.asfortranarray(A)),
            "a view with strides": hesse.Operator(np.kron(A, np.ones((2, 2)))[::2, ::2]),
            "block callable": hesse.Operator(lambda block: A @ block, 30),
            "vector callable": hesse.Operator(lambda v: A @ v, 30, block=False),
            "sparse": hesse.Operator(scipy.sparse.csr_matrix(A)),
            "SciPy's operator": hesse.Operator(scipy.sparse.linalg.aslinearoperator(A)),
        }
        for name, operator in kinds.items():
            with self.subTest(name):
                self.assertEqual(operator.shape, (30, 30))
                # Sums of 30 terms of size 1, in another order.
                np.testing.assert_allclose(operator @ X, A @ X, atol=30 * EPS * 30)
                np.testing.assert_allclose(operator @ X[:, 0], A @ X[:, 0], atol=30 * EPS * 30)
                np.testing.assert_allclose(operator.dense(), A, atol=4 * EPS * np.abs(A).max())

    def test_a_float64_array_is_not_copied(self):
        A = np.eye(3)
        operator = hesse.Operator(A)
        A[0, 0] = 5
        self.assertEqual((operator @ np.array([1.0, 0, 0]))[0], 5)

    def test_an_operator_keeps_its_array_alive(self):
        operator = hesse.Operator(symmetric(50, 3))
        gc.collect()
        np.testing.assert_array_equal(operator.dense(), symmetric(50, 3))

    def test_the_algebra_is_that_of_matrices(self):
        A, B = symmetric(8, 1), symmetric(8, 2)
        a, b = hesse.Operator(A), hesse.Operator(B)
        for ours, theirs in [(a + b, A + B), (a - b, A - B), (-a, -A), (2 * a, 2 * A), (a * 0.5, A / 2),
                             (a.shifted(3.0), A + 3 * np.eye(8)), (a.block([5, 2]), A[np.ix_([5, 2], [5, 2])])]:
            np.testing.assert_allclose(ours.dense(), theirs, atol=8 * EPS * 4)

    def test_scipy_takes_an_operator_for_one_of_its_own(self):
        A = positive(300)
        theirs = scipy.sparse.linalg.eigsh(scipy.sparse.linalg.aslinearoperator(hesse.Operator(A)), k=3)[0]
        np.testing.assert_allclose(theirs, [298, 299, 300], rtol=1e-9)

    def test_extreme_eigenpairs_are_those_of_eigh(self):
        A = symmetric(400)
        values = np.linalg.eigvalsh(A)
        found = hesse.eigenpairs(hesse.Operator(lambda X: A @ X, 400), largest=4, smallest=3, tolerance=1e-10)
        self.assertEqual(found.status, "converged")
        norm = np.abs(values).max()
        np.testing.assert_allclose(found.largest.values, values[::-1][:4], atol=1e-9 * norm)
        np.testing.assert_allclose(found.smallest.values, values[:3][::-1], atol=1e-9 * norm)
        np.testing.assert_array_equal(found.values, np.concatenate([found.largest.values, found.smallest.values]))
        residuals = np.linalg.norm(A @ found.vectors - found.vectors * found.values, axis=0)
        np.testing.assert_allclose(found.residuals, residuals, atol=400 * EPS * norm)
        self.assertLessEqual(residuals.max(), 1e-10 * norm)
        self.assertTrue(found.multiplicity_certified)
        self.assertFalse(found.proved)
        self.assertTrue(hesse.eigenpairs(A, largest=4, certify=True).proved)
        once = hesse.eigenpairs(A, largest=4, tolerance=1e-3, single_search=True)
        self.assertFalse(once.multiplicity_certified)
        self.assertLess(once.products, found.products)
        np.testing.assert_allclose(once.values, values[::-1][:4], atol=1e-3 * norm)

    def test_all_eigenpairs_are_those_of_eigh(self):
        A = symmetric(300, 5)
        found = hesse.eigenpairs(A, all=True)
        values, vectors = np.linalg.eigh(A)
        np.testing.assert_allclose(found.values, values[::-1], atol=300 * EPS * found.norm)
        self.assertTrue(found.proved)
        # Each vector up to its sign, to rounding over the gap to the next eigenvalue.
        gaps = np.diff(values).min()
        cosines = np.abs(np.sum(found.vectors * vectors[:, ::-1], axis=0))
        np.testing.assert_allclose(cosines, 1, atol=(300 * EPS * found.norm / gaps) ** 2 + 300 * EPS)

    def test_where_the_ends_meet_no_pair_comes_twice(self):
        found = hesse.eigenpairs(np.diag([3.0, 1, 2]), largest=2, smallest=2)
        np.testing.assert_allclose(found.values, [3, 2, 1], atol=1e-14)
        np.testing.assert_allclose(found.largest.values, [3, 2], atol=1e-14)
        np.testing.assert_allclose(found.smallest.values, [2, 1], atol=1e-14)
        np.testing.assert_array_equal(found.smallest.vectors, found.vectors[:, 1:])

    def test_what_is_not_symmetric_is_refused(self):
        with self.assertRaisesRegex(hesse.Error, "not symmetric"):
            hesse.Operator(np.array([[0.0, 1], [0, 0]]))
        with self.assertRaisesRegex(hesse.Error, "not symmetric"):
            A = np.random.default_rng(0).standard_normal((300, 300))
            hesse.eigenpairs(hesse.Operator(lambda X: A @ X, 300))

    def test_traces_by_every_method_are_exact_or_within_their_intervals(self):
        A = positive(200)
        for method in ("hutchinson", "hutch++", "xtrace"):
            with self.subTest(method):
                exact = hesse.trace(A, method=method, max_products=200)
                self.assertTrue(exact.is_exact)
                self.assertAlmostEqual(exact.value, 200 * 201 / 2, delta=200 * EPS * 200 * 201)
                # An interval of 95 % with this seed; ten of them, of which at most three may fail (0.1 %).
                covered = 0
                for seed in range(10):
                    t = hesse.trace(A, method=method, max_products=60, tolerance=0, seed=seed)
                    covered += t.lower <= 200 * 201 / 2 <= t.upper
                    self.assertLessEqual(t.products, 60)
                self.assertGreaterEqual(covered, 7)
        with self.assertRaisesRegex(hesse.Error, "no method"):
            hesse.trace(A, method="guess")

    def test_the_square_of_the_frobenius_norm(self):
        A = symmetric(50)
        found = hesse.frobenius_square(A, max_products=2000, tolerance=1e-3)
        self.assertLessEqual(abs(found.value - np.sum(A**2)), 4 * found.standard_error + 1e-9)

    def test_the_diagonal_of_a_diagonal_matrix_is_exact_and_of_others_within_its_errors(self):
        d = np.arange(1.0, 8)
        np.testing.assert_allclose(hesse.diagonal(np.diag(d), method="hutchinson", max_products=6).values, d, rtol=4 * EPS)
        self.assertTrue(hesse.diagonal(np.diag(d)).is_exact)
        A = symmetric(500)
        found = hesse.diagonal(A, max_products=400, tolerance=0)
        # Entries within 5 deviations, which one of 500 normal errors exceeds in 3 of 10^4 runs.
        self.assertLessEqual(np.max(np.abs(found.values - np.diag(A)) / found.standard_errors), 5)

    def test_the_log_determinant_is_that_of_slogdet(self):
        small = positive(100)
        exact = hesse.log_determinant(small)
        self.assertTrue(exact.is_exact)
        self.assertAlmostEqual(exact.value, np.linalg.slogdet(small)[1], delta=100 * 100 * EPS * 100)
        shifted = hesse.log_determinant(small, damping=2.0)
        self.assertAlmostEqual(shifted.value, np.linalg.slogdet(small + 2 * np.eye(100))[1], delta=100 * 100 * EPS * 100)
        A = positive(400)
        by_lanczos = hesse.log_determinant(A, probes=20, steps=60)
        self.assertFalse(by_lanczos.is_exact)
        theirs = np.linalg.slogdet(A)[1]
        self.assertLessEqual(abs(by_lanczos.value - theirs), 4 * by_lanczos.standard_error)
        self.assertLessEqual(by_lanczos.standard_error, 0.02 * theirs)

    def test_an_indefinite_matrix_has_no_log_determinant(self):
        for A in (np.diag([1.0, -1]), np.diag(np.linspace(-1, 1, 300))):
            found = hesse.log_determinant(A)
            self.assertFalse(found.is_finite)
            self.assertTrue(np.isnan(found.value))

    def test_the_spectral_density_counts_and_sums_eigenvalues(self):
        A = positive(300)
        density = hesse.spectral_density(A, probes=20, steps=300)
        self.assertEqual(len(density.nodes), 20)
        for nodes, weights in zip(density.nodes, density.weights):
            self.assertEqual(nodes.shape, weights.shape)
            self.assertAlmostEqual(weights.sum(), 1, delta=1e-12)
        upper_half = density.count(150.5)
        self.assertLessEqual(abs(upper_half.value - 150), 4 * upper_half.standard_error)
        squares = density.sum(np.square)
        theirs = np.sum(np.arange(1.0, 301) ** 2)
        self.assertLessEqual(abs(squares.value - theirs), 4 * squares.standard_error)
        with self.assertRaisesRegex(ZeroDivisionError, "mine"):
            density.sum(raise_zero_division)
        # Blurred over a tenth of the range the density is flat away from the ends: 1 / 299.
        middle = density.at(np.array([150.0]), sigma=20.0)
        self.assertTrue(middle.lower[0] <= middle.value[0] <= middle.upper[0])
        self.assertAlmostEqual(middle.value[0] * 299, 1, delta=0.25)

    def test_the_kernel_polynomial_method_integrates_to_one(self):
        A = positive(300)
        moments = hesse.chebyshev_moments(A, probes=10, degree=60)
        self.assertTrue(moments.low < 1 and moments.high > 300)
        lambdas = np.linspace(moments.low, moments.high, 4001)[1:-1]  # infinite at the ends
        self.assertAlmostEqual(np.trapz(moments.at(lambdas).value, lambdas), 1, delta=1e-2)
        given = hesse.chebyshev_moments(A, (0, 310), probes=10, degree=60)
        self.assertEqual((given.low, given.high), (0, 310))

    def test_inertia_counts_eigenvalues(self):
        A = np.diag([-2.0, -1, 3, 4, 5])
        found = hesse.inertia(A)
        self.assertEqual((found.below, found.above), (2, 3))
        self.assertEqual(hesse.inertia(A, shift=3.5).below, 3)

    def test_solutions_are_those_of_numpy(self):
        A = positive(80)
        b = np.arange(80.0)
        for method in ("cg", "minres"):
            found = hesse.solve(A, b, method=method, tolerance=1e-12)
            self.assertEqual(found.status, "converged")
            # The error is at most |A^-1| |r|, |A^-1| = 1.
            self.assertLessEqual(np.linalg.norm(found.x - np.linalg.solve(A, b)), 2e-12 * np.linalg.norm(b))
        self.assertEqual(hesse.solve(np.diag([1.0, -1]), [1.0, 1]).status, "negative-curvature")

    def test_a_product_that_is_not_finite_is_a_status(self):
        found = hesse.eigenpairs(hesse.Operator(lambda X: np.full_like(X, np.nan), 5))
        self.assertEqual(found.status, "non-finite")
        self.assertFalse(hesse.trace(hesse.Operator(lambda X: X * np.inf, 500)).is_finite)


def raise_zero_division(*_):
    raise ZeroDivisionError("mine")


class Exceptions(unittest.TestCase):
    def test_what_a_callable_raises_arrives_as_it_was_raised(self):
        f = hesse.Objective(raise_zero_division, 3, grad=raise_zero_division, hvp=raise_zero_division)
        operator = hesse.Operator(raise_zero_division, 300)
        for use in (lambda: hesse.eigenpairs(operator), lambda: hesse.trace(operator),
                    lambda: hesse.spectral_density(operator), lambda: operator @ np.ones(300),
                    lambda: hesse.minimize(f, np.zeros(3)), lambda: f.value(np.zeros(3)),
                    lambda: hesse.classify(f, np.zeros(3)), lambda: hesse.sharpness(f, np.zeros(3))):
            with self.assertRaisesRegex(ZeroDivisionError, "^mine$"):
                use()

    def test_an_exception_from_within_lanczos_is_not_taken_for_its_breakdown(self):
        calls = 0

        def late(X):
            nonlocal calls
            calls += 1
            if calls > 20:
                raise KeyError("late")
            return np.arange(1.0, 401)[:, None] * X

        with self.assertRaisesRegex(KeyError, "late"):
            hesse.eigenpairs(hesse.Operator(late, 400), largest=3)

    def test_its_traceback_names_the_callable(self):
        try:
            hesse.trace(hesse.Operator(raise_zero_division, 300))
        except ZeroDivisionError as error:
            names = []
            trace = error.__traceback__
            while trace is not None:
                names.append(trace.tb_frame.f_code.co_name)
                trace = trace.tb_next
            self.assertIn("raise_zero_division", names)

    def test_wrong_shapes_and_types_are_said_in_a_sentence(self):
        cases = [
            (lambda: hesse.Operator(np.ones((2, 3))), r"\(2, 3\) is not square"),
            (lambda: hesse.Operator(lambda X: X[:1], 3) @ np.ones((3, 2)), r"shape \(1, 2\); it has to have the shape \(3, 2\)"),
            (lambda: hesse.Operator(lambda X: None, 3) @ np.ones(3), "give real numbers"),
            (lambda: hesse.Operator(lambda X: X * 1j, 3) @ np.ones(3), "complex128"),
            (lambda: hesse.Operator(lambda X: X), "size of a callable is not known"),
            (lambda: hesse.Operator("text"), "is no operator"),
            (lambda: hesse.Operator(np.eye(3)) @ np.ones(4), r"shape \(4,\)"),
            (lambda: hesse.Objective(rosenbrock, 0), "0 variables"),
            (lambda: hesse.Objective(3, 2), "cannot be called"),
            (lambda: hesse.Objective(lambda x: x, 2).value([1, 2]), "has to be one number"),
            (lambda: hesse.Objective(rosenbrock, 2).gradient([1, 2]), "give grad"),
            (lambda: hesse.Objective(rosenbrock, 2, grad=True).value([1, 2]), r"\(value, gradient\)"),
            (lambda: hesse.Objective(rosenbrock, 2).value([1, 2, 3]), r"shape \(3,\)"),
            (lambda: hesse.problem("no-such-problem"), "no problem called"),
            (lambda: hesse.problem("rosenbrock", precision="half"), "no precision"),
            (lambda: hesse.minimize(rosenbrock, [1.0, 2], grad=scipy.optimize.rosen_der, optimizer="adamm"),
             "did you mean"),
            (lambda: hesse.minimize(rosenbrock, [1.0, 2], grad=scipy.optimize.rosen_der, optimizer="newton"),
             "give hvp or hess"),
            (lambda: hesse.minimize(rosenbrock, [1.0, 2], grad=scipy.optimize.rosen_der, optimizer="kfac"),
             "no layers with Kronecker factors"),
            (lambda: hesse.sharpness(hesse.problem("rosenbrock"), [1.0, 1], rhoo=1), "did you mean"),
        ]
        for use, text in cases:
            with self.subTest(text), self.assertRaisesRegex(hesse.Error, text):
                use()


class Objectives(unittest.TestCase):
    def setUp(self):
        o = scipy.optimize
        self.full = hesse.Objective(o.rosen, 4, grad=o.rosen_der, hvp=o.rosen_hess_prod, hess=None)
        self.x = np.array([0.3, -0.2, 0.7, 1.1])

    def test_value_gradient_and_products_are_those_of_the_callables(self):
        o, f, x = scipy.optimize, self.full, self.x
        v = np.array([1.0, 2, -1, 0.5])
        self.assertEqual(f(x), o.rosen(x))
        np.testing.assert_array_equal(f.gradient(x), o.rosen_der(x))
        value, gradient = f.value_and_gradient(x)
        self.assertEqual(value, o.rosen(x))
        np.testing.assert_array_equal(gradient, o.rosen_der(x))
        np.testing.assert_array_equal(f.hessian_vector_product(x, v), o.rosen_hess_prod(x, v))
        block = np.stack([v, x], axis=1)
        np.testing.assert_array_equal(f.hessian_vector_product(x, block)[:, 1], o.rosen_hess_prod(x, x))
        np.testing.assert_allclose(f.curvature(x).dense(), o.rosen_hess(x), rtol=1e-14)
        by_matrix = hesse.Objective(o.rosen, 4, grad=o.rosen_der, hess=o.rosen_hess)
        np.testing.assert_allclose(by_matrix.hessian_vector_product(x, v), o.rosen_hess(x) @ v, rtol=1e-13)
        jointly = hesse.Objective(lambda x: (o.rosen(x), o.rosen_der(x)), 4, grad=True)
        np.testing.assert_array_equal(jointly.gradient(x), gradient)
        self.assertEqual(jointly.value(x), value)

    def test_central_differences_where_they_are_asked_for(self):
        o, x = scipy.optimize, self.x
        by_values = hesse.Objective(o.rosen, 4, finite_differences=True)
        by_gradients = hesse.Objective(o.rosen, 4, grad=o.rosen_der, finite_differences=True)
        # h = eps^(1/3): truncation and rounding are some eps^(2/3) of the sizes of derivatives, 1e3 here.
        tolerance = 100 * EPS ** (2 / 3) * 1e3
        np.testing.assert_allclose(by_values.gradient(x), o.rosen_der(x), atol=tolerance)
        np.testing.assert_allclose(by_gradients.hessian_vector_product(x, x), o.rosen_hess_prod(x, x), atol=tolerance)
        with self.assertRaisesRegex(hesse.Error, "need a gradient"):
            by_values.hessian_vector_product(x, x)
        with self.assertRaisesRegex(hesse.Error, "central differences"):
            hesse.classify(by_gradients, np.ones(4))

    def test_arrays_that_a_callable_keeps_are_its_own(self):
        kept = []

        def fun(x):
            kept.append(x)
            return scipy.optimize.rosen(x)

        f = hesse.Objective(fun, 2)
        f.value([1.0, 2]), f.value([3.0, 4])
        np.testing.assert_array_equal(kept, [[1, 2], [3, 4]])
        blocks = []
        hesse.trace(hesse.Operator(lambda X: blocks.append(X[:2]) or X, 40), max_products=12, tolerance=0)
        self.assertEqual(len({block.tobytes() for block in blocks}), len(blocks))

    def test_every_method_that_a_plain_function_allows_finds_scipys_minimiser(self):
        o = scipy.optimize
        x0 = np.array([-1.2, 1, 0.5])
        theirs = o.minimize(o.rosen, x0, jac=o.rosen_der, method="BFGS", options={"gtol": 1e-10})
        for spec in ("lbfgs", "lbfgs:memory=20+hager-zhang", "bfgs", "sr1", "nonlinear-cg", "newton", "newton+cubic",
                     "newton-cg", "newton-minres", "saddle-free", "newton+trust-region:subproblem=dogleg"):
            with self.subTest(spec):
                r = hesse.minimize(o.rosen, x0, grad=o.rosen_der, hess=o.rosen_hess, optimizer=spec)
                self.assertTrue(r.success, r.message)
                # Where f is flat to rounding, |g|^2 / lambda is some eps.
                self.assertLessEqual(np.linalg.norm(r.jac), 1e-5)
                # |x - x*| <= |g| / lambda_min, lambda_min = 0.16 at (1, 1, 1).
                np.testing.assert_allclose(r.x, theirs.x, atol=1e-4)
                np.testing.assert_array_equal(r.jac, o.rosen_der(r.x))
                self.assertEqual(r.fun, o.rosen(r.x))
                self.assertEqual(len(r.trace), r.nit)

    def test_least_squares_are_those_of_scipy(self):
        t = np.linspace(0, 5, 20)
        y = 3 * np.exp(-0.8 * t) + 0.5 + 0.01 * np.sin(7 * t)

        def residuals(x):
            return x[0] * np.exp(-x[1] * t) + x[2] - y

        def jac(x):
            e = np.exp(-x[1] * t)
            return np.stack([e, -x[0] * t * e, np.ones_like(t)], axis=1)

        theirs = scipy.optimize.least_squares(residuals, [1.0, 1, 0], jac=jac, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        exact = hesse.LeastSquares(residuals, 3, 20, jac=jac)
        by_differences = hesse.LeastSquares(residuals, 3, 20, finite_differences=True)
        x = np.array([1.0, 1, 0])
        np.testing.assert_allclose(exact.gradient(x), jac(x).T @ residuals(x), rtol=1e-13)
        np.testing.assert_allclose(exact.curvature(x, "gauss-newton").dense(), jac(x).T @ jac(x), rtol=1e-13)
        np.testing.assert_allclose(by_differences.gradient(x), exact.gradient(x), atol=1e-8)
        for f in (exact, by_differences):
            for spec in ("gauss-newton", "gauss-newton+levenberg-marquardt:update=nielsen", "lbfgs",
                         "newton-cg:curvature=gauss-newton"):
                r = hesse.minimize(f, x, optimizer=spec)
                self.assertTrue(r.success, r.message)
                # Where f is flat to rounding x is known to some sqrt(eps) over the least singular value of J.
                np.testing.assert_allclose(r.x, theirs.x, atol=1e-6)
                self.assertAlmostEqual(r.fun, theirs.cost, delta=1e-12)
        for use, text in [(lambda: exact.hessian_vector_product(x, x), "no hessian matrix"),
                          (lambda: hesse.LeastSquares(residuals, 3, 20).gradient(x), "give jac"),
                          (lambda: hesse.LeastSquares(residuals, 3, 19).value(x), r"shape \(20,\)")]:
            with self.assertRaisesRegex(hesse.Error, text):
                use()

    def test_a_mean_over_samples_runs_in_batches(self):
        rng = np.random.default_rng(2)
        inputs, w = rng.standard_normal((120, 4)), np.array([1.0, -2, 0.5, 3])
        targets = inputs @ w
        seen = []

        def fun(x, samples):
            self.assertEqual(samples.dtype, np.int64)
            seen.append(samples)
            r = inputs[samples] @ x - targets[samples]
            return r @ r / (2 * len(samples))

        def grad(x, samples):
            A = inputs[samples]
            return A.T @ (A @ x - targets[samples]) / len(samples)

        def hvp(x, v, samples):
            A = inputs[samples]
            return A.T @ (A @ v) / len(samples)

        f = hesse.Objective(fun, 4, grad=grad, hvp=hvp, samples=120)
        self.assertEqual((f.samples, f.total_samples), (120, 120))
        x = np.ones(4)
        np.testing.assert_allclose(f.curvature(x).dense(), inputs.T @ inputs / 120, atol=1e-14)
        operator = f.curvature(x)
        f.select([3, 5])
        self.assertAlmostEqual(f.value(x), fun(x, np.array([3, 5])), delta=1e-15)
        # An operator is of the samples at which it was made.
        np.testing.assert_allclose(operator.dense(), inputs.T @ inputs / 120, atol=1e-14)
        np.testing.assert_allclose(f.hessian_vector_product(x, x), hvp(x, x, np.array([3, 5])), atol=1e-14)
        f.select_all()
        seen.clear()
        r = hesse.minimize(f, np.zeros(4), optimizer="sgd:lr=0.1", batch_size=20, budget="60epochs",
                           gradient_tolerance=0)
        sizes = [len(samples) for samples in seen]
        self.assertEqual(r.nit, 360)
        self.assertEqual(set(sizes), {20, 120})
        epoch = np.sort(np.concatenate([samples for samples in seen if len(samples) == 20][:6]))
        np.testing.assert_array_equal(epoch, np.arange(120))
        np.testing.assert_allclose(r.x, w, atol=1e-2)
        with self.assertRaisesRegex(hesse.Error, "does not exist"):
            f.select([120])
        with self.assertRaisesRegex(hesse.Error, "select"):
            hesse.problem("rosenbrock").select([0])

    def test_every_optimizer_that_there_is_runs_or_says_what_it_needs(self):
        rng = np.random.default_rng(0)
        A, x0 = rng.standard_normal((30, 3)), np.ones(3)
        plain = hesse.Objective(lambda x: np.mean((A @ x) ** 2), 3, grad=lambda x: 2 * A.T @ (A @ x) / 30,
                                hess=lambda x: 2 * A.T @ A / 30)
        mean = hesse.Objective(lambda x, s: np.mean((A[s] @ x) ** 2), 3, samples=30,
                               grad=lambda x, s: 2 * A[s].T @ (A[s] @ x) / len(s),
                               hvp=lambda x, v, s: 2 * A[s].T @ (A[s] @ v) / len(s))
        residuals = hesse.LeastSquares(lambda x: A @ x, 3, 30, jac=lambda x: A)
        ran = set()
        for name in hesse.optimizers():
            for f, batch in ((plain, 0), (mean, 10), (residuals, 0)):
                with self.subTest(name):
                    try:
                        r = hesse.minimize(f, x0, optimizer=name, budget="5steps", batch_size=batch)
                    except hesse.Error as error:
                        # What is missing: layers, samples, residuals, or a matrix.
                        self.assertRegex(str(error), "layers|samples|residuals|matrix|network|finite sum|labels|mean")
                        continue
                    self.assertTrue(np.isfinite(r.fun), r.message)
                    ran.add(name)
        # All but those that need a network's layers or labels.
        lacking = set(hesse.optimizers()) - ran
        self.assertTrue(lacking <= {"kfac", "kfac-fixed", "ekfac", "natural-gradient", "hessian-free", "sophia-g"}, lacking)

    def test_first_order_methods_go_downhill(self):
        o = scipy.optimize
        for spec in ("gd:lr=1e-3", "momentum:lr=1e-4", "adam:lr=0.05+cosine", "adagrad:lr=0.1", "muon:lr=0.01"):
            with self.subTest(spec):
                r = hesse.minimize(o.rosen, [-1.2, 1], grad=o.rosen_der, optimizer=spec, budget="300steps")
                self.assertLess(r.fun, o.rosen(np.array([-1.2, 1])))
                self.assertEqual((r.nit, r.status, r.success), (300, "budget", False))

    def test_counts_are_the_callables_calls(self):
        calls = {"fun": 0, "grad": 0, "hvp": 0}

        def counted(name, f):
            def call(*arguments):
                calls[name] += 1
                return f(*arguments)

            return call

        o = scipy.optimize
        r = hesse.minimize(counted("fun", o.rosen), [-1.2, 1], grad=counted("grad", o.rosen_der),
                           hvp=counted("hvp", o.rosen_hess_prod), optimizer="newton-cg")
        self.assertEqual(r.nhev, calls["hvp"])
        # Beside the method's own: claims of convergence are checked, and the end is evaluated, anew.
        self.assertTrue(r.njev < calls["grad"] <= r.njev + 6)

    def test_the_trace_is_a_structured_array_and_the_callback_sees_each_step(self):
        o = scipy.optimize
        seen = []
        r = hesse.minimize(o.rosen, [-1.2, 1], grad=o.rosen_der, optimizer="lbfgs",
                           callback=lambda step: seen.append((step.step, step.value, step.x)) and False)
        self.assertEqual([s[0] for s in seen], list(range(1, r.nit + 1)))
        np.testing.assert_array_equal(r.trace["step"], np.arange(1, r.nit + 1))
        np.testing.assert_array_equal(r.trace["value"], [s[1] for s in seen])
        self.assertEqual(r.trace["value"][0], o.rosen(np.array([-1.2, 1])))
        np.testing.assert_array_equal(seen[-1][2], r.x)
        stopped = hesse.minimize(o.rosen, [-1.2, 1], grad=o.rosen_der, callback=lambda step: step.step == 3)
        self.assertEqual((stopped.nit, stopped.status), (3, "user"))
        with self.assertRaisesRegex(ZeroDivisionError, "mine"):
            hesse.minimize(o.rosen, [-1.2, 1], grad=o.rosen_der, callback=raise_zero_division)

    def test_the_start_is_left_as_it_was(self):
        x0 = np.array([-1.2, 1])
        hesse.minimize(scipy.optimize.rosen, x0, grad=scipy.optimize.rosen_der)
        np.testing.assert_array_equal(x0, [-1.2, 1])

    def test_a_diverging_run_is_a_status(self):
        with np.errstate(over="ignore"):
            r = hesse.minimize(lambda x: x[0] * x[0], [1.0], grad=lambda x: 2 * x, optimizer="gd:lr=1e6")
        self.assertEqual((r.status, r.success), ("non-finite", False))
        self.assertTrue(np.all(np.isfinite(r.x)))

    def test_kinds_of_points(self):
        saddle = hesse.Objective(lambda x: x[0] ** 2 - x[1] ** 2, 2, grad=lambda x: np.array([2 * x[0], -2 * x[1]]),
                                 hvp=lambda x, v: np.array([2 * v[0], -2 * v[1]]))
        found = hesse.classify(saddle, [0.0, 0])
        self.assertEqual((found.kind, found.index, found.certified), ("saddle", 1, True))
        np.testing.assert_allclose(np.abs(found.escape_directions[:, 0]), [0, 1], atol=1e-12)
        self.assertEqual(hesse.classify(self.full, np.ones(4)).kind, "minimum")
        self.assertEqual(hesse.classify(saddle, [1.0, 0]).kind, "not stationary")
        quartic = hesse.Objective(lambda x: x[0] ** 4, 1, grad=lambda x: 4 * x**3, hvp=lambda x, v: 12 * x**2 * v)
        flat = hesse.classify(quartic, [0.0])
        self.assertEqual((flat.kind, flat.higher_order.verdict), ("degenerate", "minimum"))
        arrived = hesse.find_stationary(saddle, [0.3, 0.4])
        self.assertEqual(arrived.status, "arrived")
        np.testing.assert_allclose(arrived.x, [0, 0], atol=1e-10)

    def test_sharpness_of_a_quadratic_is_known(self):
        A = np.diag([1.0, 10])
        f = hesse.Objective(lambda x: x @ A @ x / 2, 2, grad=lambda x: A @ x, hvp=lambda x, v: A @ v)
        report = hesse.sharpness(f, [0.0, 0], measures=["eigenvalue", "trace"])
        self.assertEqual(list(report.measures), ["eigenvalue", "trace"])
        self.assertAlmostEqual(report.measures["eigenvalue"].value, 10, delta=1e-12)
        self.assertAlmostEqual(report.measures["trace"].value, 11, delta=1e-12)
        self.assertIn("sam", hesse.sharpness(f, [0.0, 0], rho=0.1).measures)

    def test_wrong_derivatives_are_found(self):
        o = scipy.optimize
        self.assertTrue(hesse.check_derivatives(self.full, self.x).good)
        wrong = hesse.Objective(o.rosen, 4, grad=lambda x: 1.001 * o.rosen_der(x), hvp=o.rosen_hess_prod)
        found = hesse.check_derivatives(wrong, self.x)
        self.assertFalse(found.gradient_good)
        self.assertEqual(found.steps.shape, found.gradient_errors.shape)


class Problems(unittest.TestCase):
    def test_a_problem_by_name_is_an_objective(self):
        p = hesse.problem("rosenbrock")
        o = scipy.optimize
        x = np.array([0.4, -0.3])
        self.assertIsInstance(p, hesse.Objective)
        self.assertAlmostEqual(p.value(x), o.rosen(x), delta=1e-13)
        np.testing.assert_allclose(p.gradient(x), o.rosen_der(x), rtol=1e-13)
        np.testing.assert_allclose(p.curvature(x).dense(), o.rosen_hess(x), rtol=1e-13)
        self.assertEqual(p.minimum, 0)
        np.testing.assert_array_equal(p.minimisers[0], [1, 1])
        r = hesse.minimize(p, p.start(1))
        np.testing.assert_allclose(r.x, [1, 1], atol=1e-6)

    def test_networks_have_blocks_batches_metrics_and_curvature_by_kind(self):
        p = hesse.problem("mlp:data=two-moons:samples=60,hidden=5,activation=tanh")
        x = p.start(1)
        arrays = p.unflatten(x)
        self.assertEqual({name: array.shape for name, array in arrays.items()}, p.blocks)
        self.assertEqual(sum(array.size for array in arrays.values()), p.size)
        np.testing.assert_array_equal(p.flatten(arrays), x)
        g = p.gradient(x)
        v = np.random.default_rng(0).standard_normal(p.size)
        h = 1e-5
        difference = (p.gradient(x + h * v) - p.gradient(x - h * v)) / (2 * h)
        np.testing.assert_allclose(p.hessian_vector_product(x, v), difference, atol=1e-6)
        for kind in ("hessian", "gauss-newton", "fisher", "kfac", "gradient-covariance"):
            A = p.curvature(x, kind).dense()
            np.testing.assert_allclose(A, A.T, atol=1e-12)
            if kind != "hessian":
                self.assertGreaterEqual(np.linalg.eigvalsh(A).min(), -1e-12)
        self.assertEqual(p.curvature(x, blocks=["layer2"]).size, 5 * 2 + 2)
        with self.assertRaisesRegex(hesse.Error, "did you mean"):
            p.curvature(x, "hesian")
        # The mean over two halves is the mean of their means.
        total = p.total_samples
        halves = []
        for half in (range(total // 2), range(total // 2, 2 * (total // 2))):
            p.select(list(half))
            halves.append(p.value(x))
        p.select(list(range(2 * (total // 2))))
        self.assertAlmostEqual(p.value(x), np.mean(halves), delta=1e-13)
        p.select_all()
        self.assertEqual(p.samples, total)
        self.assertTrue(all(np.isfinite(figure) for figure in p.metrics(x).values()))
        for spec in ("kfac", "adam:lr=1e-2", "shampoo", "newton-cg:curvature=gauss-newton"):
            r = hesse.minimize(p, x, optimizer=spec, budget="20steps", batch_size=0 if "newton" in spec else 16)
            self.assertLess(r.fun, p.value(x), spec)

    def test_an_operator_outlives_its_problem(self):
        p = hesse.problem("mlp:data=two-moons:samples=40,hidden=4")
        x = p.start(1)
        dense = p.curvature(x).dense()
        operator = p.curvature(x)
        del p
        gc.collect()
        np.testing.assert_array_equal(operator.dense(), dense)

    def test_the_same_bits_for_any_number_of_threads(self):
        before = hesse.threads()
        try:
            bits = []
            for n in (1, 3):
                hesse.set_threads(n)
                p = hesse.problem("mlp:data=two-moons:samples=300,hidden=8")
                bits.append(hesse.minimize(p, p.start(2), budget="20steps").x.tobytes())
            self.assertEqual(*bits)
        finally:
            hesse.set_threads(before)


class Records(unittest.TestCase):
    def test_safetensors_go_out_and_come_back(self):
        arrays = {"a.weight": np.arange(6.0).reshape(2, 3), "b": np.float32([1.5, 2.5]), "n": np.array([1, -2]),
                  "transposed": np.arange(6.0).reshape(2, 3).T, "scalar": np.array(3.0)}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.safetensors")
            hesse.save_safetensors(path, arrays, {"made by": "a test"})
            back = hesse.load_safetensors(path)
        self.assertEqual(set(back), set(arrays))
        for name, array in arrays.items():
            self.assertEqual(back[name].dtype, array.dtype)
            np.testing.assert_array_equal(back[name], array)
        with self.assertRaisesRegex(hesse.Error, "complex128"):
            hesse.save_safetensors("/tmp/never", {"z": np.array([1j])})

    @unittest.skipUnless(PROGRAM, "HESSE_PROGRAM is not set")
    def test_a_run_that_the_program_made_is_read_whole(self):
        spec = "mlp:data=two-moons:samples=60,hidden=5"
        with tempfile.TemporaryDirectory() as folder:
            run = os.path.join(folder, "run")
            command = [PROGRAM, "train", "--problem", spec, "--optimizer", "adam", "--budget", "50steps", "--output", run,
                       "--quiet", "--precision", "double"]
            subprocess.run(command, check=True, capture_output=True)
            r = hesse.load_run(run)
            p = hesse.problem(r.record["problem"]["text"])
            x = p.flatten(r.parameters)
            self.assertEqual(p.value(x), r.record["verdict"]["value"])
            np.testing.assert_array_equal(hesse.load_point(p, run), x)
            self.assertEqual(r.trace["step"][-1], 50)
            self.assertEqual({name: array.shape for name, array in r.parameters.items()}, p.blocks)
        with self.assertRaisesRegex(hesse.Error, "run.json"):
            hesse.load_run(folder)

    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_hessians_of_networks_are_those_of_double_backward(self):
        torch.manual_seed(1)
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder:
            inputs = torch.rand(40, 6, dtype=torch.float64)
            labels = torch.arange(40) % 3
            csv = os.path.join(folder, "data.csv")
            np.savetxt(csv, np.column_stack([inputs.numpy(), labels.numpy()]), delimiter=",", fmt="%.17g")
            net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)).double()
            parameters = list(net.parameters())
            loss = torch.nn.functional.cross_entropy(net(inputs), labels)
            gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters, create_graph=True)])
            rows = [torch.cat([h.reshape(-1) for h in torch.autograd.grad(g, parameters, retain_graph=True)])
                    for g in gradient]
            hessian = torch.stack(rows).numpy()
            p = hesse.problem(f"mlp:data=file:path={csv}:standardise=false:test_fraction=0,hidden=4,activation=tanh")
            x = p.flatten(net.state_dict())
            path = os.path.join(folder, "net.safetensors")
            hesse.save_safetensors(path, {name: t.numpy() for name, t in net.state_dict().items()})
            np.testing.assert_array_equal(hesse.load_point(p, path), x)
        # Sums of some hundred products of size 1 on either side.
        self.assertAlmostEqual(p.value(x), loss.item(), delta=1e-13)
        np.testing.assert_allclose(p.gradient(x), gradient.detach().numpy(), atol=1e-13)
        np.testing.assert_allclose(p.curvature(x).dense(), hessian, atol=1e-12)
        # The other way: PyTorch's products as an operator of ours.
        def hvp(v):
            product = torch.autograd.grad(gradient, parameters, torch.from_numpy(v), retain_graph=True)
            return torch.cat([h.reshape(-1) for h in product]).numpy()

        top = hesse.eigenpairs(hesse.Operator(hvp, p.size, block=False), largest=3)
        np.testing.assert_allclose(top.largest.values, np.linalg.eigvalsh(hessian)[::-1][:3], atol=1e-12)


class Interpreter(unittest.TestCase):
    def test_the_lock_is_free_while_the_library_works(self):
        p = hesse.problem("mlp:data=two-moons:samples=400,hidden=60")
        x = p.start(1)
        ticks = []
        done = threading.Event()

        def tick():
            while not done.wait(0.001):
                ticks.append(time.monotonic())

        thread = threading.Thread(target=tick)
        thread.start()
        p.curvature(x).dense()
        done.set()
        thread.join()
        self.assertGreater(len(ticks), 3)

    def test_threads_of_python_take_turns(self):
        A = positive(150)
        expected = hesse.eigenpairs(hesse.Operator(lambda X: A @ X, 150), largest=2).values
        operator = hesse.Operator(lambda X: A @ X, 150)
        found = [None] * 4

        def ask(i):
            found[i] = hesse.eigenpairs(operator, largest=2).values

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for values in found:
            np.testing.assert_array_equal(values, expected)

    def test_a_callable_may_use_the_library(self):
        inner = hesse.Operator(positive(20))
        outer = hesse.Operator(lambda X: inner @ X, 20)
        self.assertAlmostEqual(hesse.eigenpairs(outer).values[0], 20, delta=1e-12)

    def test_an_interrupt_ends_work_that_calls_no_python(self):
        p = hesse.problem("mlp:data=two-moons:samples=400,hidden=40")
        x = p.start(1)
        timer = threading.Timer(0.3, signal.raise_signal, args=(signal.SIGINT,))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            hesse.minimize(p, x, optimizer="gd:lr=1e-9", gradient_tolerance=0, budget="100000000steps")
        timer.join()


class Results(unittest.TestCase):
    def test_entries_are_attributes(self):
        r = hesse.Result(value=1.0, x=np.arange(3))
        self.assertEqual(r.value, r["value"])
        r.note = "new"
        self.assertEqual(r["note"], "new")
        self.assertIn("value", dir(r))
        self.assertIn("value: 1.0", repr(r))
        self.assertEqual(repr(hesse.Result(a=np.zeros((40, 2)))), "a: array of shape (40, 2): float64")
        with self.assertRaisesRegex(AttributeError, "no 'nothing'"):
            r.nothing

    def test_every_public_name_has_a_text_that_tells_shapes_or_meaning(self):
        for name in hesse.__all__:
            self.assertTrue(getattr(hesse, name).__doc__, name)


if __name__ == "__main__":
    unittest.main(verbosity=1)
