#include "hesse/landscape/assignment.h"

#include "hesse/core/error.h"

#include <limits>

namespace hesse {

std::vector<Index> largest_assignment(const Matrix& S) {
  const Index n = S.rows();
  if (S.cols() != n) fail("assignment: a matrix of {} x {}; it must be square", S.rows(), S.cols());
  if (!S.allFinite()) fail("assignment: an entry is not finite; every pair needs a finite weight");
  // Costs C = -S. Prices keep C(i, j) - u(i) - v(j) >= 0, with equality where row and column are joined. Column n
  // stands for the row that is being added.
  const auto size = static_cast<std::size_t>(n) + 1;
  std::vector<double> u(size, 0.0);
  std::vector<double> v(size, 0.0);
  std::vector<Index> row_of(size, -1);
  std::vector<Index> previous(size, -1);
  std::vector<double> distance(size);
  std::vector<bool> reached(size);
  const auto at = [](Index i) { return static_cast<std::size_t>(i); };
  for (Index added = 0; added < n; ++added) {
    distance.assign(size, std::numeric_limits<double>::infinity());
    reached.assign(size, false);
    row_of[at(n)] = added;
    Index column = n;
    // Dijkstra's search for the nearest free column, by reduced costs; prices move along with it.
    while (row_of[at(column)] >= 0) {
      reached[at(column)] = true;
      const Index row = row_of[at(column)];
      double step = std::numeric_limits<double>::infinity();
      Index next = -1;
      for (Index j = 0; j < n; ++j) {
        if (reached[at(j)]) continue;
        const double reduced = -S(row, j) - u[at(row)] - v[at(j)];
        if (reduced < distance[at(j)]) {
          distance[at(j)] = reduced;
          previous[at(j)] = column;
        }
        if (next < 0 || distance[at(j)] < step) {
          step = distance[at(j)];
          next = j;
        }
      }
      for (Index j = 0; j <= n; ++j) {
        if (reached[at(j)]) {
          u[at(row_of[at(j)])] += step;
          v[at(j)] -= step;
        } else {
          distance[at(j)] -= step;
        }
      }
      column = next;
    }
    // Along the path, every column takes over the row of the one before it.
    while (column != n) {
      const Index before = previous[at(column)];
      row_of[at(column)] = row_of[at(before)];
      column = before;
    }
  }
  std::vector<Index> columns(static_cast<std::size_t>(n));
  for (Index j = 0; j < n; ++j) columns[at(row_of[at(j)])] = j;
  return columns;
}

}  // namespace hesse
