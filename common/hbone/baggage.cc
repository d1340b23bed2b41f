#include "common/hbone/baggage.h"

#include <array>

namespace aquifer::hbone {
namespace {

constexpr std::array<std::string_view, 4> kWorkloadTypes = {"deployment", "cronjob", "pod", "job"};

void put(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  if (!out.empty()) out += ',';
  out += key;
  out += '=';
  out += value;
}

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

void take(BaggageFields& fields, std::string_view key, std::string_view value) {
  if (key == "k8s.cluster.name") fields.cluster_name = value;
  if (key == "k8s.namespace.name") fields.namespace_name = value;
  if (key == "service.name") fields.service_name = value;
  if (key == "service.version") fields.service_version = value;
  if (key == "cloud.region") fields.region = value;
  if (key == "cloud.availability_zone") fields.zone = value;
  constexpr std::string_view kPrefix = "k8s.";
  constexpr std::string_view kSuffix = ".name";
  if (!key.starts_with(kPrefix) || !key.ends_with(kSuffix) ||
      key.size() <= kPrefix.size() + kSuffix.size())
    return;
  const std::string_view type =
      key.substr(kPrefix.size(), key.size() - kPrefix.size() - kSuffix.size());
  for (const std::string_view known : kWorkloadTypes) {
    if (type != known) continue;
    fields.workload_type = type;
    fields.workload_name = value;
  }
}

}  // namespace

std::string build_baggage(const BaggageFields& fields) {
  std::string out;
  out.reserve(192);
  put(out, "k8s.cluster.name", fields.cluster_name);
  put(out, "k8s.namespace.name", fields.namespace_name);
  if (!fields.workload_type.empty() && !fields.workload_name.empty()) {
    put(out, "k8s." + fields.workload_type + ".name", fields.workload_name);
  }
  put(out, "service.name", fields.service_name);
  put(out, "service.version", fields.service_version);
  put(out, "cloud.region", fields.region);
  put(out, "cloud.availability_zone", fields.zone);
  return out;
}

BaggageFields parse_baggage(std::string_view text) {
  BaggageFields fields;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view entry = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view value = trim(entry.substr(equals + 1));
    if (!value.empty()) take(fields, trim(entry.substr(0, equals)), value);
  }
  return fields;
}

}  // namespace aquifer::hbone
