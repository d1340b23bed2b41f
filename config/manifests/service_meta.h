// What Services and ServiceEntries say in the same words: to whom they are visible, and which of
// their endpoints are preferred.
#pragma once

#include "config/manifests/assembly.h"
#include "config/model/service.h"

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

/// exportTo as the model has it: the namespaces that see it, none for all. "." is its own, "*" all,
/// "~" nobody.
[[nodiscard]] std::vector<std::string> export_to(const std::vector<std::string>& written,
                                                 std::string_view own_ns);
/// The same from the annotation networking.istio.io/exportTo, which separates names by commas.
[[nodiscard]] std::vector<std::string> export_to_annotation(const Metadata& meta);

/// spec.trafficDistribution, else the annotation networking.istio.io/traffic-distribution of the
/// object, else that of its namespace; empty when nobody says anything.
[[nodiscard]] std::string traffic_distribution(const Assembly& assembly, const Metadata& meta,
                                               std::string_view spec_value);

}  // namespace aquifer::manifests
