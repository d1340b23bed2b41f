#include "ztunnel/settings.h"

#include "ztunnel/unread_variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <thread>
#include <utility>

namespace aquifer::ztunnel {
namespace {

/// Reads variables one by one and keeps the first complaint.
class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  void text(const char* name, std::string& out) {
    if (const auto value = environment_(name)) out = *value;
  }

  void boolean(const char* name, bool& out) {
    const auto value = environment_(name);
    if (!value) return;
    if (*value == "true" || *value == "1") {
      out = true;
    } else if (*value == "false" || *value == "0") {
      out = false;
    } else {
      complain(name, *value, "write true or false");
    }
  }

  template <typename Number>
  void number(const char* name, Number& out, std::uint64_t least, std::uint64_t most) {
    const auto value = environment_(name);
    if (!value) return;
    std::uint64_t parsed = 0;
    const char* last = value->data() + value->size();
    const auto [end, error] = std::from_chars(value->data(), last, parsed);
    if (error != std::errc{} || end != last || parsed < least || parsed > most) {
      complain(name, *value, fmt::format("write a number from {} to {}", least, most));
    } else {
      out = static_cast<Number>(parsed);
    }
  }

  void duration(const char* name, Duration& out) {
    const auto value = environment_(name);
    if (!value) return;
    if (const auto parsed = parse_duration(*value)) {
      out = *parsed;
    } else {
      complain(name, *value, "write a duration such as 5s, 10m or 1h");
    }
  }

  void seconds(const char* name, int& out) {
    Duration value = std::chrono::seconds(out);
    duration(name, value);
    out = static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(value).count());
  }

  template <typename Value, std::size_t N>
  void choice(const char* name, Value& out,
              const std::array<std::pair<std::string_view, Value>, N>& words) {
    const auto value = environment_(name);
    if (!value) return;
    const auto found = std::ranges::find(words, *value, &std::pair<std::string_view, Value>::first);
    if (found != words.end()) {
      out = found->second;
      return;
    }
    std::string allowed;
    for (const auto& [word, unused] : words)
      allowed += fmt::format("{}{}", allowed.empty() ? "" : " or ", word);
    complain(name, *value, "write " + allowed);
  }

  void complain(const char* name, std::string_view value, std::string_view mend) {
    if (complaint.empty()) complaint = fmt::format("{}={}: {}", name, value, mend);
  }

  std::string complaint;

 private:
  const Environment& environment_;
};

/// ZTUNNEL_WORKER_THREADS: a number, 0 for all cores, or a share of them such as 50%.
void read_workers(Reader& reader, const Environment& environment, std::uint32_t& workers) {
  constexpr std::uint32_t kWorkersMax = 256;
  const std::uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
  // At least two, a quarter of a large machine: as the peer's.
  workers = std::max(2U, (cores + 3) / 4);
  const auto value = environment("ZTUNNEL_WORKER_THREADS");
  if (!value) return;
  const bool share = value->ends_with('%');
  const std::string_view digits =
      std::string_view(*value).substr(0, value->size() - (share ? 1 : 0));
  std::uint32_t parsed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
  if (error != std::errc{} || end != digits.data() + digits.size() ||
      parsed > (share ? 100 : kWorkersMax)) {
    reader.complain("ZTUNNEL_WORKER_THREADS", *value,
                    "write a number of threads, 0 for all cores, or N%");
    return;
  }
  if (share) {
    workers = std::max(1U, (cores * parsed + 99) / 100);
  } else {
    workers = parsed == 0 ? cores : parsed;
  }
}

/// COMPLIANCE_POLICY=pqc: refused where OpenSSL cannot do it, for without it nothing would be what
/// was asked for.
void read_compliance(Reader& reader, const Environment& environment, tls::KeyExchange& exchange) {
  const auto value = environment("COMPLIANCE_POLICY");
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

void read_log(Reader& reader, const Environment& environment, log::LogOptions& options) {
  if (const auto value = environment("RUST_LOG")) {
    auto filter = log::Filter::parse(*value);
    if (filter) {
      options.filter = std::move(*filter);
    } else {
      reader.complain("RUST_LOG", *value, "write a filter such as info or info,access=off");
    }
  }
  if (const auto value = environment("LOG_FORMAT"); value && *value == "json")
    options.format = log::Format::json;
}

void read_dns(Reader& reader, const Environment& environment, DnsSettings& dns) {
  // As the peer reads it: whatever is not "true" is off.
  if (const auto value = environment("ISTIO_META_DNS_CAPTURE")) dns.capture = *value == "true";
  reader.text("PREFERED_SERVICE_NAMESPACE", dns.preferred_namespace);
  if (const auto value = environment("ISTIO_META_DNS_PROXY_ADDR")) {
    // Pods are redirected to their own loopback: nothing else can be meant.
    constexpr std::string_view kName = "localhost:";
    const std::string address =
        value->starts_with(kName) ? "127.0.0.1:" + value->substr(kName.size()) : *value;
    const auto parsed = SocketAddress::parse(address);
    if (parsed && parsed->ip.is_loopback() && parsed->port != 0) {
      dns.port = parsed->port;
    } else {
      reader.complain("ISTIO_META_DNS_PROXY_ADDR", *value, "write localhost:PORT");
    }
  }
  if (const auto value = environment("AQUIFER_DNS_UPSTREAM")) {
    if (auto servers = dns::parse_servers(*value)) {
      dns.upstream = std::move(*servers);
    } else {
      reader.complain("AQUIFER_DNS_UPSTREAM", *value,
                      "write one to three servers as IP or IP:PORT, with commas between them");
    }
  }
}

void read_access_log(Reader& reader, const Environment& environment,
                     telemetry::AccessFilter& filter) {
  const auto value = environment("AQUIFER_ACCESS_LOG");
  if (!value) return;
  auto parsed = telemetry::AccessFilter::parse(*value);
  if (parsed) {
    filter = std::move(*parsed);
  } else {
    reader.complain("AQUIFER_ACCESS_LOG", *value, parsed.error());
  }
}

}  // namespace

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<Duration> parse_duration(std::string_view text) {
  double amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error != std::errc{} || !std::isfinite(amount) || amount <= 0)
    return fail(Errc::invalid, "not a duration");
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::array<std::pair<std::string_view, double>, 14> kUnits{{{"", 1},
                                                                        {"ms", 0.001},
                                                                        {"s", 1},
                                                                        {"sec", 1},
                                                                        {"secs", 1},
                                                                        {"m", 60},
                                                                        {"min", 60},
                                                                        {"mins", 60},
                                                                        {"h", 3600},
                                                                        {"hr", 3600},
                                                                        {"hrs", 3600},
                                                                        {"d", 86400},
                                                                        {"day", 86400},
                                                                        {"days", 86400}}};
  const auto found = std::ranges::find(kUnits, unit, &std::pair<std::string_view, double>::first);
  // A hundred years: beyond any meaning, and far from overflow.
  constexpr double kSecondsMax = 100.0 * 365 * 86400;
  if (found == kUnits.end() || amount * found->second > kSecondsMax)
    return fail(Errc::invalid, "not a duration");
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(amount * found->second));
}

std::expected<Settings, std::string> settings_from(const Environment& environment) {
  Settings settings;
  Reader reader(environment);
  reader.text("NODE_NAME", settings.node);
  reader.text("NETWORK", settings.network);
  reader.text("ISTIO_META_CLUSTER_ID", settings.cluster_id);
  reader.text("CLUSTER_ID", settings.cluster_id);
  reader.text("CLUSTER_DOMAIN", settings.cluster_domain);
  reader.text("ISTIO_META_ISTIO_VERSION", settings.version_tag);
  constexpr std::array<std::pair<std::string_view, io::BackendChoice>, 2> kBackends{
      {{"uring", io::BackendChoice::uring}, {"epoll", io::BackendChoice::epoll}}};
  reader.choice("AQUIFER_IO", settings.backend, kBackends);
  constexpr std::array<std::pair<std::string_view, OriginalSource>, 2> kOriginalSource{
      {{"true", OriginalSource::required}, {"false", OriginalSource::off}}};
  reader.choice("ENABLE_ORIG_SRC", settings.original_source, kOriginalSource);
  // What the capture rules can tell from other marks: twelve bits, and not the answers' own mark.
  reader.number("PACKET_MARK", settings.packet_mark, 1, kMarkMask);
  if (!is_proxy_mark(settings.packet_mark)) {
    reader.complain("PACKET_MARK", std::to_string(settings.packet_mark),
                    "the answers of captured connections carry this mark; take another");
  }
  reader.boolean("IPV6_ENABLED", settings.ipv6);
  reader.boolean("INPOD_PORT_REUSE", settings.port_reuse);
  reader.boolean("ENABLE_RESPONSE_BAGGAGE", settings.response_baggage);
  reader.boolean("KEEPALIVE_ENABLED", settings.keepalive_enabled);
  reader.seconds("KEEPALIVE_TIME", settings.keepalive.time_seconds);
  reader.seconds("KEEPALIVE_INTERVAL", settings.keepalive.interval_seconds);
  reader.number("KEEPALIVE_RETRIES", settings.keepalive.probes, 1, 127);
  reader.boolean("USER_TIMEOUT_ENABLED", settings.keepalive.user_timeout);
  // 1,000: what a peer could be asked for at all; more only moves the limit to it.
  reader.number("POOL_MAX_STREAMS_PER_CONNECTION", settings.pool.streams_per_tunnel_max, 1, 1000);
  reader.duration("POOL_UNUSED_RELEASE_TIMEOUT", settings.pool.unused_release);
  if (const auto grace = environment("TERMINATION_GRACE_PERIOD_SECONDS")) {
    std::int64_t seconds = 0;
    reader.number("TERMINATION_GRACE_PERIOD_SECONDS", seconds, 1, 86400);
    const std::int64_t left = seconds > 10 ? seconds - 5 : seconds - 1;
    settings.termination_deadline = std::chrono::seconds(std::max<std::int64_t>(left, 1));
  }
  reader.duration("CONNECTION_TERMINATION_DEADLINE", settings.termination_deadline);
  Duration ttl = settings.secret_ttl;
  reader.duration("SECRET_TTL", ttl);
  settings.secret_ttl =
      std::max(std::chrono::duration_cast<std::chrono::seconds>(ttl), std::chrono::seconds(1));
  read_compliance(reader, environment, settings.key_exchange);
  settings.warnings = unread_variables(environment);
  reader.number("AQUIFER_POD_QUEUE_BYTES", settings.pod_queue_bytes_max, 1 << 20, UINT64_MAX);
  read_dns(reader, environment, settings.dns);
  reader.duration("AQUIFER_METRICS_SERIES_TTL", settings.series_ttl);
  read_workers(reader, environment, settings.workers);
  read_log(reader, environment, settings.log);
  bool policies_at_info = false;
  reader.boolean("AUTHZ_POLICY_INFO_LOGGING", policies_at_info);
  if (policies_at_info) settings.policy_log_level = log::Level::info;
  read_access_log(reader, environment, settings.access_log);
  if (!reader.complaint.empty()) return std::unexpected(reader.complaint);
  return settings;
}

}  // namespace aquifer::ztunnel
