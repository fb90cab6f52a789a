#include "formats.h"

#include "hesse/data/bundle_adjustment.h"

namespace hesse::fuzz {

void read_bundle_adjustment_bytes(const Input& input) {
  value_or_error(input.path, [&] {
    const BundleAdjustment data = read_bundle_adjustment(input.path);
    for (const Observation& o : data.observations) {
      require(o.camera >= 0 && o.camera < data.cameras.cols(), "an observation has no camera");
      require(o.point >= 0 && o.point < data.points.cols(), "an observation has no point");
    }
    require(data.cameras.allFinite() && data.points.allFinite(), "a parameter is not finite");
  });
}

}  // namespace hesse::fuzz
