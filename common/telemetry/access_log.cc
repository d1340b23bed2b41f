#include "common/telemetry/access_log.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::telemetry {
namespace {

constexpr std::string_view kTarget = "access";

std::string_view name_of(Direction direction) noexcept {
  return direction == Direction::outbound ? "outbound" : "inbound";
}

/// The captured pod's, which is the one that the filter asks for.
std::string_view local_namespace(const ConnectionLog& connection) noexcept {
  return connection.direction == Direction::outbound ? connection.src.workload_namespace
                                                     : connection.dst.workload_namespace;
}

void add_if_known(log::Fields& fields, std::string_view name, std::string_view value) {
  if (!value.empty()) fields.str(name, value);
}

void add_connection(log::Fields& fields, const ConnectionLog& c, const SocketAddress& client) {
  fields.display("src.addr", client.to_string());
  add_if_known(fields, "src.workload", c.src.workload);
  add_if_known(fields, "src.namespace", c.src.workload_namespace);
  add_if_known(fields, "src.identity", c.src.identity);
  add_if_known(fields, "src.cluster", c.src.cluster);
  fields.display("dst.addr", c.dst_addr.to_string());
  if (!c.dst_hbone_addr.empty()) fields.display("dst.hbone_addr", c.dst_hbone_addr);
  add_if_known(fields, "dst.service", c.dst_service);
  add_if_known(fields, "dst.workload", c.dst.workload);
  add_if_known(fields, "dst.namespace", c.dst.workload_namespace);
  add_if_known(fields, "dst.identity", c.dst.identity);
  add_if_known(fields, "dst.cluster", c.dst.cluster);
  fields.str("direction", name_of(c.direction));
  if (c.transport == Transport::same_node) fields.str("transport", kSameNode);
}

struct Opened {
  ConnectionLogPtr connection;
  SocketAddress client;
  std::string_view message() const noexcept { return "connection opened"; }
  void add_fields(log::Fields& fields) const { add_connection(fields, *connection, client); }
};

struct Complete {
  ConnectionLogPtr connection;
  SocketAddress client;
  ConnectionEnd end;
  std::string_view message() const noexcept { return "connection complete"; }
  void add_fields(log::Fields& fields) const {
    add_connection(fields, *connection, client);
    auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(end.duration).count();
    fields.num("bytes_sent", end.bytes_sent)
        .num("bytes_recv", end.bytes_recv)
        .str("duration", fmt::format("{}ms", ms));
    add_if_known(fields, "error", end.error);
  }
};

struct EarlyDenial {
  Direction direction;
  SocketAddress src;
  SocketAddress dst;
  std::string error;
  std::string_view message() const noexcept { return "connection failed"; }
  void add_fields(log::Fields& fields) const {
    fields.display("src.addr", src.to_string())
        .display("dst.addr", dst.to_string())
        .str("direction", name_of(direction))
        .str("error", error);
  }
};

}  // namespace

void log_opened(const ConnectionLogPtr& connection, const SocketAddress& client) {
  if (!log::enabled(log::Level::debug, kTarget)) return;
  if (!access_log_takes_opening(local_namespace(*connection))) return;
  log::submit(log::Level::debug, kTarget, Opened{connection, client});
}

void log_complete(ConnectionLogPtr connection, const SocketAddress& client, ConnectionEnd end) {
  if (!access_log_takes(local_namespace(*connection), end.outcome)) return;
  log::Level level = end.error.empty() ? log::Level::info : log::Level::error;
  log::submit(level, kTarget, Complete{std::move(connection), client, std::move(end)});
}

void log_early_denial(Direction direction, const SocketAddress& src, const SocketAddress& dst,
                      std::string error, std::string_view ns) {
  if (!access_log_takes(ns, Outcome::denied)) return;
  log::submit(log::Level::warn, kTarget, EarlyDenial{direction, src, dst, std::move(error)});
}

}  // namespace aquifer::telemetry
