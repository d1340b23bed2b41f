// The query log: one line per query with target `dns` at debug, when it has been answered.
#pragma once

#include "common/base/address.h"
#include "common/base/time.h"
#include "config/model/workload.h"
#include "ztunnel/dns/query.h"
#include "ztunnel/dns/upstream.h"

#include <string_view>

namespace aquifer::ztunnel::dns {

/// What is told about one query. Views live for the call only.
struct QueryLogEntry {
  SocketAddress client;
  const model::Workload& pod;
  const Query& query;
  Transport transport = Transport::udp;
  ByteView response;  ///< empty: none was sent
  /// NAMESPACE/HOSTNAME that was answered from; empty: the answer came from upstream.
  std::string_view service;
  std::string_view error;
  Duration took;
};

void log_query(const QueryLogEntry& entry);
/// True exactly when log_query() would write.
[[nodiscard]] bool query_log_enabled() noexcept;

}  // namespace aquifer::ztunnel::dns
