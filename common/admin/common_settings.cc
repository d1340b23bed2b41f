#include "common/admin/common_settings.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::admin {

void read_log(EnvironmentReader& reader, log::LogOptions& options) {
  if (const auto value = reader.value_of("RUST_LOG")) {
    auto filter = log::Filter::parse(*value);
    if (filter) {
      options.filter = std::move(*filter);
    } else {
      reader.complain("RUST_LOG", *value, "write a filter such as info or info,access=off");
    }
  }
  if (const auto value = reader.value_of("LOG_FORMAT"); value && *value == "json")
    options.format = log::Format::json;
}

void read_access_log(EnvironmentReader& reader, telemetry::AccessFilter& filter) {
  const auto value = reader.value_of("AQUIFER_ACCESS_LOG");
  if (!value) return;
  auto parsed = telemetry::AccessFilter::parse(*value);
  if (parsed) {
    filter = std::move(*parsed);
  } else {
    reader.complain("AQUIFER_ACCESS_LOG", *value, parsed.error());
  }
}

void read_compliance(EnvironmentReader& reader, tls::KeyExchange& exchange) {
  const auto value = reader.value_of("COMPLIANCE_POLICY");
  if (!value || value->empty()) return;
  if (*value != "pqc") {
    reader.complain("COMPLIANCE_POLICY", *value, "write pqc, or unset it");
    return;
  }
  exchange = tls::KeyExchange::hybrid_only;
  if (tls::can_exchange_keys(exchange)) return;
  reader.complain(
      "COMPLIANCE_POLICY", *value,
      fmt::format("{} has no X25519MLKEM768: run with OpenSSL 3.5 or later, or unset it",
                  tls::library_version()));
}

}  // namespace aquifer::admin
