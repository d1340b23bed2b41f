#include "config/manifests/service_meta.h"

#include <algorithm>

namespace aquifer::manifests {
namespace {

constexpr std::string_view kDistribution = "networking.istio.io/traffic-distribution";
constexpr std::string_view kExportTo = "networking.istio.io/exportTo";

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::vector<std::string> export_to(const std::vector<std::string>& written,
                                   std::string_view own_ns) {
  if (std::ranges::find(written, "*") != written.end()) return {};
  std::vector<std::string> result;
  for (const std::string& name : written) result.emplace_back(name == "." ? own_ns : name);
  std::ranges::sort(result);
  const auto repeated = std::ranges::unique(result);
  result.erase(repeated.begin(), repeated.end());
  return result;
}

std::vector<std::string> export_to_annotation(const Metadata& meta) {
  const std::string* text = meta.annotation(kExportTo);
  if (text == nullptr) return {};
  std::vector<std::string> written;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view name = trimmed(rest.substr(0, comma));
    if (!name.empty()) written.emplace_back(name);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return export_to(written, meta.ns);
}

std::string traffic_distribution(const Assembly& assembly, const Metadata& meta,
                                 std::string_view spec_value) {
  if (!spec_value.empty()) return std::string(spec_value);
  if (const std::string* own = meta.annotation(kDistribution)) return *own;
  const auto ns = assembly.namespaces.find(meta.ns);
  if (ns == assembly.namespaces.end()) return {};
  const std::string* inherited = ns->second->meta.annotation(kDistribution);
  return inherited != nullptr ? *inherited : std::string();
}

}  // namespace aquifer::manifests
