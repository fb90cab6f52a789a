/// \file
/// The models of NIST's Statistical Reference Datasets as residuals, for ResidualObjective and for Ceres alike:
///
///     r_i(b) = model(b, x_i) - y_i,   f = 1/2 |r|^2, half of NIST's residual sum of squares
///
/// The data come from the files (data/nist.h); the formulas are those printed in them.
#pragma once

#include "hesse/core/error.h"
#include "hesse/core/types.h"
#include "hesse/data/nist.h"

#include <cmath>
#include <memory>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hesse::nist {

/// Each model is a type with `template <class T> static T value(const T* b, const double* x)`.
/// b1 (1 - exp(-b2 x)): Misra1a, BoxBOD.
struct Saturation {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    return b[0] * (1.0 - exp(-b[1] * x[0]));
  }
};

/// exp(-b1 x) / (b2 + b3 x): Chwirut1, Chwirut2.
struct Chwirut {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    return exp(-b[0] * x[0]) / (b[1] + b[2] * x[0]);
  }
};

/// b1 exp(-b2 x) + b3 exp(-b4 x) + b5 exp(-b6 x): Lanczos1 to 3.
struct Lanczos {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    return b[0] * exp(-b[1] * x[0]) + b[2] * exp(-b[3] * x[0]) + b[4] * exp(-b[5] * x[0]);
  }
};

/// b1 exp(-b2 x) + b3 exp(-(x - b4)^2 / b5^2) + b6 exp(-(x - b7)^2 / b8^2): Gauss1 to 3.
struct Gauss {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    const T u = (x[0] - b[3]) / b[4];
    const T v = (x[0] - b[6]) / b[7];
    return b[0] * exp(-b[1] * x[0]) + b[2] * exp(-u * u) + b[5] * exp(-v * v);
  }
};

/// b1 x^b2: DanWood.
struct DanWood {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    return b[0] * exp(b[1] * std::log(x[0]));
  }
};

/// b1 (1 - (1 + b2 x / 2)^-2).
struct Misra1b {
  template <class T>
  static T value(const T* b, const double* x) {
    const T u = 1.0 + b[1] * (x[0] / 2);
    return b[0] * (1.0 - 1.0 / (u * u));
  }
};

/// (b1 + b2 x + b3 x^2) / (1 + b4 x + b5 x^2).
struct Kirby2 {
  template <class T>
  static T value(const T* b, const double* x) {
    return (b[0] + x[0] * (b[1] + x[0] * b[2])) / (1.0 + x[0] * (b[3] + x[0] * b[4]));
  }
};

/// (b1 + b2 x + b3 x^2 + b4 x^3) / (1 + b5 x + b6 x^2 + b7 x^3): Hahn1, Thurber.
struct CubicRatio {
  template <class T>
  static T value(const T* b, const double* x) {
    return (b[0] + x[0] * (b[1] + x[0] * (b[2] + x[0] * b[3]))) / (1.0 + x[0] * (b[4] + x[0] * (b[5] + x[0] * b[6])));
  }
};

/// b1 - b2 x1 exp(-b3 x2), the model of log y.
struct Nelson {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    return b[0] - b[1] * x[0] * exp(-b[2] * x[1]);
  }
};

/// b1 + b2 exp(-b4 x) + b3 exp(-b5 x).
struct MGH17 {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    return b[0] + b[1] * exp(-b[3] * x[0]) + b[2] * exp(-b[4] * x[0]);
  }
};

/// b1 (1 - (1 + 2 b2 x)^(-1/2)).
struct Misra1c {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::sqrt;
    return b[0] * (1.0 - 1.0 / sqrt(1.0 + b[1] * (2 * x[0])));
  }
};

/// b1 b2 x / (1 + b2 x).
struct Misra1d {
  template <class T>
  static T value(const T* b, const double* x) {
    const T u = b[1] * x[0];
    return b[0] * u / (1.0 + u);
  }
};

/// b1 - b2 x - arctan(b3 / (x - b4)) / pi.
struct Roszman1 {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::atan;
    return b[0] - b[1] * x[0] - std::numbers::inv_pi * atan(b[2] / (x[0] - b[3]));
  }
};

/// b1 + b2 cos(2 pi x / 12) + b3 sin(2 pi x / 12) + b5 cos(2 pi x / b4) + b6 sin(2 pi x / b4) + b8 cos(2 pi x / b7)
/// + b9 sin(2 pi x / b7).
struct Enso {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::cos, std::sin;
    const double turn = 2 * std::numbers::pi * x[0];
    const T u = turn / b[3];
    const T v = turn / b[6];
    return b[0] + b[1] * std::cos(turn / 12) + b[2] * std::sin(turn / 12) + b[4] * cos(u) + b[5] * sin(u) +
           b[7] * cos(v) + b[8] * sin(v);
  }
};

/// b1 (x^2 + b2 x) / (x^2 + b3 x + b4).
struct MGH09 {
  template <class T>
  static T value(const T* b, const double* x) {
    return b[0] * (x[0] * (x[0] + b[1])) / (x[0] * (x[0] + b[2]) + b[3]);
  }
};

/// b1 / (1 + exp(b2 - b3 x)).
struct Rat42 {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    return b[0] / (1.0 + exp(b[1] - b[2] * x[0]));
  }
};

/// b1 exp(b2 / (x + b3)).
struct MGH10 {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    return b[0] * exp(b[1] / (x[0] + b[2]));
  }
};

/// (b1 / b2) exp(-((x - b3) / b2)^2 / 2).
struct Eckerle4 {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp;
    const T u = (x[0] - b[2]) / b[1];
    return b[0] / b[1] * exp(-0.5 * u * u);
  }
};

/// b1 / (1 + exp(b2 - b3 x))^(1 / b4).
struct Rat43 {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::exp, std::pow;
    return b[0] * pow(T(1.0 + exp(b[1] - b[2] * x[0])), T(-1.0 / b[3]));
  }
};

/// b1 (b2 + x)^(-1 / b3).
struct Bennett5 {
  template <class T>
  static T value(const T* b, const double* x) {
    using std::pow;
    return b[0] * pow(T(b[1] + x[0]), T(-1.0 / b[2]));
  }
};

/// Observations as a residual functor sees them: predictors of one observation beside each other.
struct Observations {
  Vector y;
  Matrix x;  ///< predictors x observations
};

/// r_i = Model(b, x_i) - y_i. Copies share the data.
template <class Model>
struct Residuals {
  std::shared_ptr<const Observations> data;
  template <class T>
  void operator()(const T* b, T* r) const {
    for (Index i = 0; i < data->y.size(); ++i) r[i] = Model::value(b, data->x.col(i).data()) - data->y[i];
  }
};

/// r = X b - y for linear models.
struct LinearResiduals {
  std::shared_ptr<const Observations> data;  ///< x holds X'
  template <class T>
  void operator()(const T* b, T* r) const {
    for (Index i = 0; i < data->y.size(); ++i) {
      T sum = T(-data->y[i]);
      for (Index j = 0; j < data->x.rows(); ++j) sum = sum + data->x(j, i) * b[j];
      r[i] = sum;
    }
  }
};

/// The names of the 27 nonlinear and the 11 linear sets, as NIST writes them.
const std::vector<std::string>& nonlinear_names();
const std::vector<std::string>& linear_names();

/// Reads a set of either kind from the cache. The file of Roszman1 that Debian and Ceres have gives b1 + 1, which fits
/// atan2 in place of the arctangent that it prints; here b1 is NIST's. Throws Error as read_nist does, and with the
/// command that fetches a missing set.
NistReference load(const std::string& name);

/// Returns visitor(residuals) for the model of the set, of either kind. The visitor returns one type for all. Throws
/// Error for a set whose model is not known.
template <class Visitor>
auto visit(const NistReference& set, Visitor&& visitor) {
  auto data = std::make_shared<Observations>();
  data->y = set.y;
  const std::string_view name = set.name;
  if (set.linear) {
    data->x = design_matrix(set).transpose();
    return visitor(LinearResiduals{std::move(data)});
  }
  data->x = set.x.transpose();
  if (name == "Nelson") data->y = data->y.array().log();
  if (name == "Misra1a" || name == "BoxBOD") return visitor(Residuals<Saturation>{std::move(data)});
  if (name == "Chwirut1" || name == "Chwirut2") return visitor(Residuals<Chwirut>{std::move(data)});
  if (name.starts_with("Lanczos")) return visitor(Residuals<Lanczos>{std::move(data)});
  if (name.starts_with("Gauss")) return visitor(Residuals<Gauss>{std::move(data)});
  if (name == "DanWood") return visitor(Residuals<DanWood>{std::move(data)});
  if (name == "Misra1b") return visitor(Residuals<Misra1b>{std::move(data)});
  if (name == "Kirby2") return visitor(Residuals<Kirby2>{std::move(data)});
  if (name == "Hahn1" || name == "Thurber") return visitor(Residuals<CubicRatio>{std::move(data)});
  if (name == "Nelson") return visitor(Residuals<Nelson>{std::move(data)});
  if (name == "MGH17") return visitor(Residuals<MGH17>{std::move(data)});
  if (name == "Misra1c") return visitor(Residuals<Misra1c>{std::move(data)});
  if (name == "Misra1d") return visitor(Residuals<Misra1d>{std::move(data)});
  if (name == "Roszman1") return visitor(Residuals<Roszman1>{std::move(data)});
  if (name == "ENSO") return visitor(Residuals<Enso>{std::move(data)});
  if (name == "MGH09") return visitor(Residuals<MGH09>{std::move(data)});
  if (name == "Rat42") return visitor(Residuals<Rat42>{std::move(data)});
  if (name == "MGH10") return visitor(Residuals<MGH10>{std::move(data)});
  if (name == "Eckerle4") return visitor(Residuals<Eckerle4>{std::move(data)});
  if (name == "Rat43") return visitor(Residuals<Rat43>{std::move(data)});
  if (name == "Bennett5") return visitor(Residuals<Bennett5>{std::move(data)});
  fail("nist: the model of '{}' is not known; give one of the 27 nonlinear sets of NIST", name);
}

}  // namespace hesse::nist
