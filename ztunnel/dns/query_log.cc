#include "ztunnel/dns/query_log.h"

#include "common/base/log.h"
#include "ztunnel/dns/upstream_answer.h"

#include <fmt/format.h>

namespace aquifer::ztunnel::dns {
namespace {

constexpr std::string_view kTarget = "dns";

}  // namespace

bool query_log_enabled() noexcept {
  return log::enabled(log::Level::debug, kTarget);
}

void log_query(const QueryLogEntry& entry) {
  if (!query_log_enabled()) return;
  log::Fields fields;
  fields.display("src.addr", entry.client.to_string());
  fields.str("src.workload", entry.pod.name);
  fields.str("src.namespace", entry.pod.ns);
  if (entry.query.question) {
    fields.str("query", entry.query.question->name);
    fields.str("type", name_of(entry.query.question->type));
  }
  fields.str("protocol", name_of(entry.transport));
  if (!entry.response.empty()) {
    fields.str("rcode", name_of(rcode_of(entry.response)));
    fields.num("answers", word_at(entry.response, 6));
  }
  if (entry.service.empty()) {
    fields.str("answered_by", "upstream");
  } else {
    fields.str("answered_by", "mesh");
    fields.str("service", entry.service);
  }
  fields.str(
      "duration",
      fmt::format("{}us",
                  std::chrono::duration_cast<std::chrono::microseconds>(entry.took).count()));
  if (!entry.error.empty()) fields.str("error", entry.error);
  log::line(log::Level::debug, kTarget, "dns query", fields);
}

}  // namespace aquifer::ztunnel::dns
