/// \file
/// The style and the script of the report, from report/assets, as the build has found them.
#pragma once

#include <string_view>

namespace hesse {

extern const std::string_view kReportStyle;   ///< assets/report.css
extern const std::string_view kReportScript;  ///< assets/report.js

}  // namespace hesse
