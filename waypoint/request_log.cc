#include "waypoint/request_log.h"

#include "common/base/log.h"
#include "common/base/log_line.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace aquifer::waypoint {
namespace {

constexpr std::string_view kTarget = "access";
// Envoy's word for what there is none of.
constexpr std::string_view kNone = "-";

std::int64_t ms(Duration duration) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

void append_start(std::string& out, std::chrono::system_clock::time_point at) {
  const auto time = std::chrono::floor<std::chrono::milliseconds>(at);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  fmt::format_to(std::back_inserter(out), "{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                 fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                 (time - seconds).count());
}

std::string_view or_none(std::string_view text) noexcept {
  return text.empty() ? kNone : text;
}

// What both forms say, found once.
struct Parts {
  std::string_view path;
  std::string_view forwarded_for;
  std::string_view user_agent;
  std::string_view request_id;
  std::string flags;
  std::string cluster;
  std::string upstream_host;
  std::string downstream_local;
  std::string downstream_remote;
  std::string_view route;
};

Parts parts_of(const RequestRecord& record) {
  const http::RequestHead& head = record.head;
  Parts parts;
  parts.path = record.original_path.empty() ? head.path : record.original_path;
  parts.forwarded_for = head.fields.find("x-forwarded-for").value_or("");
  parts.user_agent = head.fields.find("user-agent").value_or("");
  parts.request_id = head.fields.find("x-request-id").value_or("");
  parts.flags = to_string(record.flags);
  if (record.cluster != nullptr) parts.cluster = l7::display_name(*record.cluster);
  if (record.upstream_host.port != 0) parts.upstream_host = record.upstream_host.to_string();
  if (record.downstream != nullptr) {
    parts.downstream_local = record.downstream->wanted.to_string();
    parts.downstream_remote = record.downstream->source.to_string();
  }
  if (record.route != nullptr) parts.route = record.route->name;
  return parts;
}

void append_bare(std::string& out, std::string_view value) {
  out.push_back(' ');
  // Names of the mesh and words of ours: without blanks or controls, but a route may be called
  // anything.
  for (const char c : or_none(value))
    out.push_back(static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ? '_' : c);
}

void append_in_quotes(std::string& out, std::string_view value) {
  out.push_back(' ');
  log::append_quoted(out, or_none(value));
}

class JsonFields {
 public:
  explicit JsonFields(std::string& out) : out_(out) { out_.push_back('{'); }
  void text(std::string_view name, std::string_view value) {
    begin(name);
    if (value.empty()) {
      out_.append("null");
    } else {
      log::append_json_string(out_, value);
    }
  }
  void text_if_any(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  template <typename Number>
  void number(std::string_view name, Number value) {
    begin(name);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void end() { out_.push_back('}'); }

 private:
  void begin(std::string_view name) {
    if (out_.back() != '{') out_.push_back(',');
    fmt::format_to(std::back_inserter(out_), "\"{}\":", name);
  }
  std::string& out_;
};

struct Line {
  RequestRecord record;
  Duration took;
  void append_to(std::string& out, log::Format format) const {
    if (format == log::Format::json) {
      append_json(out, record, took);
    } else {
      append_text(out, record, took);
    }
  }
};

}  // namespace

bool request_log_enabled() noexcept {
  return log::enabled(log::Level::error, kTarget);
}

telemetry::Outcome outcome_of(const RequestRecord& record) noexcept {
  if (!record.refusal.empty()) return telemetry::Outcome::denied;
  const bool failed = record.flags.bits() != 0 || record.status >= 500;
  return failed ? telemetry::Outcome::failed : telemetry::Outcome::well;
}

std::string_view namespace_of(const RequestRecord& record) noexcept {
  if (record.downstream == nullptr) return {};
  const Downstream& downstream = *record.downstream;
  if (downstream.service != nullptr) return downstream.service->ns;
  return downstream.workload != nullptr ? std::string_view(downstream.workload->ns)
                                        : std::string_view();
}

void log_request(RequestRecord&& record, Duration took) {
  const telemetry::Outcome outcome = outcome_of(record);
  const log::Level level =
      outcome == telemetry::Outcome::well ? log::Level::info : log::Level::error;
  if (!log::enabled(level, kTarget)) return;
  if (!telemetry::access_log_takes(namespace_of(record), outcome)) return;
  log::submit_line(level, kTarget, Line{std::move(record), took});
}

void append_text(std::string& out, const RequestRecord& record, Duration took) {
  const Parts parts = parts_of(record);
  const bool request = record.what == RecordOf::request;
  out.push_back('[');
  append_start(out, record.started_at);
  out.append("] ");
  if (request) {
    log::append_quoted(out, fmt::format("{} {} {}", or_none(record.head.method),
                                        or_none(parts.path), http::name_of(record.head.version)));
  } else {
    out.append("\"- - -\"");
  }
  fmt::format_to(std::back_inserter(out), " {} {}", record.status, parts.flags);
  append_bare(out, record.details);
  append_bare(out, record.connection_details);
  append_in_quotes(out, record.upstream_failure);
  fmt::format_to(std::back_inserter(out), " {} {} {} ", record.bytes_received, record.bytes_sent,
                 ms(took));
  if (record.upstream_service_time) {
    fmt::format_to(std::back_inserter(out), "{}", ms(*record.upstream_service_time));
  } else {
    out.append(kNone);
  }
  append_in_quotes(out, parts.forwarded_for);
  append_in_quotes(out, parts.user_agent);
  append_in_quotes(out, parts.request_id);
  append_in_quotes(out, record.head.authority);
  append_in_quotes(out, parts.upstream_host);
  append_bare(out, parts.cluster);
  append_bare(out, {});  // our end of the connection upstream is the tunnel's, not the request's
  append_bare(out, parts.downstream_local);
  append_bare(out, parts.downstream_remote);
  append_bare(out, record.server_name);
  append_bare(out, parts.route);
}

void append_json(std::string& out, const RequestRecord& record, Duration took) {
  const Parts parts = parts_of(record);
  const bool request = record.what == RecordOf::request;
  JsonFields fields(out);
  std::string start;
  append_start(start, record.started_at);
  fields.text("start_time", start);
  fields.text("route_name", parts.route);
  fields.text("method", record.head.method);
  fields.text("path", parts.path);
  fields.text("protocol", request ? http::name_of(record.head.version) : std::string_view());
  fields.number("response_code", record.status);
  fields.text("response_flags", parts.flags);
  fields.text("response_code_details", record.details);
  fields.text("connection_termination_details", record.connection_details);
  fields.number("bytes_received", record.bytes_received);
  fields.number("bytes_sent", record.bytes_sent);
  fields.number("duration", ms(took));
  if (record.upstream_service_time) {
    fields.number("upstream_service_time", ms(*record.upstream_service_time));
  } else {
    fields.text("upstream_service_time", {});
  }
  fields.text("x_forwarded_for", parts.forwarded_for);
  fields.text("user_agent", parts.user_agent);
  fields.text("request_id", parts.request_id);
  fields.text("authority", record.head.authority);
  fields.text("upstream_host", parts.upstream_host);
  fields.text("upstream_cluster", parts.cluster);
  fields.text("upstream_local_address", {});
  fields.text("downstream_local_address", parts.downstream_local);
  fields.text("downstream_remote_address", parts.downstream_remote);
  fields.text("requested_server_name", record.server_name);
  fields.text("upstream_transport_failure_reason", record.upstream_failure);
  // Ours, behind Istio's: what a person wants next.
  if (record.downstream != nullptr)
    fields.text("downstream_peer_identity", record.downstream->identity.to_string());
  if (record.tries > 1) fields.number("upstream_tries", record.tries);
  fields.text_if_any("policy_refusal", record.refusal);
  fields.text_if_any("policy_dry_run", record.dry_run);
  fields.text_if_any("policy_audit", record.audited_by);
  fields.end();
}

}  // namespace aquifer::waypoint
