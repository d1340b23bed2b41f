// The environment as the operator writes it: every variable, and what is said about a wrong one.
#include "ztunnel/settings.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <thread>

using namespace aquifer;
using namespace aquifer::ztunnel;
using namespace std::chrono_literals;

namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

std::expected<Settings, std::string> read(const Variables& variables) {
  return settings_from([&variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

Settings good(const Variables& variables) {
  auto settings = read(variables);
  REQUIRE_MESSAGE(settings.has_value(), settings.error());
  return std::move(*settings);
}

std::string complaint(const Variables& variables) {
  const auto settings = read(variables);
  return settings ? "nothing is wrong" : settings.error();
}

}  // namespace

TEST_CASE("without any variable the peer's defaults hold") {
  const Settings settings = good({});
  const std::uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
  CHECK(settings.backend == io::BackendChoice::automatic);
  CHECK(settings.workers == std::max(2U, (cores + 3) / 4));
  CHECK(settings.node.empty());
  CHECK(settings.network.empty());
  CHECK(settings.cluster_id == "Kubernetes");
  CHECK(settings.packet_mark == 0x539);
  CHECK(settings.original_source == OriginalSource::automatic);
  CHECK(settings.ipv6);
  CHECK(settings.port_reuse);
  CHECK(settings.response_baggage);
  CHECK(settings.early_data);
  CHECK(settings.keepalive_enabled);
  CHECK(settings.pool.streams_per_tunnel_max == 100);
  CHECK(settings.pool.unused_release == 5min);
  CHECK(settings.termination_deadline == 5s);
  CHECK(settings.secret_ttl == 24h);
}

TEST_CASE("each variable changes its setting") {
  const Settings settings = good({{"NODE_NAME", "node-1"},
                                  {"NETWORK", "west"},
                                  {"CLUSTER_ID", "c1"},
                                  {"ISTIO_META_CLUSTER_ID", "hidden by CLUSTER_ID"},
                                  {"ISTIO_META_ISTIO_VERSION", "1.30"},
                                  {"AQUIFER_IO", "epoll"},
                                  {"ENABLE_ORIG_SRC", "true"},
                                  {"PACKET_MARK", "77"},
                                  {"IPV6_ENABLED", "false"},
                                  {"INPOD_PORT_REUSE", "0"},
                                  {"ENABLE_RESPONSE_BAGGAGE", "false"},
                                  {"AQUIFER_EARLY_DATA", "off"},
                                  {"KEEPALIVE_ENABLED", "1"},
                                  {"KEEPALIVE_TIME", "3m"},
                                  {"KEEPALIVE_INTERVAL", "45"},
                                  {"KEEPALIVE_RETRIES", "4"},
                                  {"USER_TIMEOUT_ENABLED", "true"},
                                  {"POOL_MAX_STREAMS_PER_CONNECTION", "7"},
                                  {"POOL_UNUSED_RELEASE_TIMEOUT", "250ms"},
                                  {"CONNECTION_TERMINATION_DEADLINE", "12s"},
                                  {"SECRET_TTL", "1h"},
                                  {"AQUIFER_POD_QUEUE_BYTES", "2097152"},
                                  {"ZTUNNEL_WORKER_THREADS", "3"},
                                  {"LOG_FORMAT", "json"}});
  CHECK(settings.node == "node-1");
  CHECK(settings.network == "west");
  CHECK(settings.cluster_id == "c1");
  CHECK(settings.version_tag == "1.30");
  CHECK(settings.backend == io::BackendChoice::epoll);
  CHECK(settings.original_source == OriginalSource::required);
  CHECK(settings.packet_mark == 77);
  CHECK_FALSE(settings.ipv6);
  CHECK_FALSE(settings.port_reuse);
  CHECK_FALSE(settings.response_baggage);
  CHECK_FALSE(settings.early_data);
  CHECK(settings.keepalive_enabled);
  CHECK(settings.keepalive.time_seconds == 180);
  CHECK(settings.keepalive.interval_seconds == 45);
  CHECK(settings.keepalive.probes == 4);
  CHECK(settings.keepalive.user_timeout);
  CHECK(settings.pool.streams_per_tunnel_max == 7);
  CHECK(settings.pool.unused_release == 250ms);
  CHECK(settings.termination_deadline == 12s);
  CHECK(settings.secret_ttl == 1h);
  CHECK(settings.pod_queue_bytes_max == 2097152);
  CHECK(settings.workers == 3);
  CHECK(settings.log.format == log::Format::json);
}

TEST_CASE("threads are a number, all cores, or a share of them that is never none") {
  const std::uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
  CHECK(good({{"ZTUNNEL_WORKER_THREADS", "0"}}).workers == cores);
  CHECK(good({{"ZTUNNEL_WORKER_THREADS", "100%"}}).workers == cores);
  CHECK(good({{"ZTUNNEL_WORKER_THREADS", "1%"}}).workers == std::max(1U, (cores + 99) / 100));
  CHECK(good({{"ZTUNNEL_WORKER_THREADS", "0%"}}).workers == 1);
  CHECK(good({{"ZTUNNEL_WORKER_THREADS", "256"}}).workers == 256);
}

TEST_CASE("the drain ends before Kubernetes would kill, and the own deadline has the last word") {
  CHECK(good({{"TERMINATION_GRACE_PERIOD_SECONDS", "30"}}).termination_deadline == 25s);
  CHECK(good({{"TERMINATION_GRACE_PERIOD_SECONDS", "10"}}).termination_deadline == 9s);
  CHECK(good({{"TERMINATION_GRACE_PERIOD_SECONDS", "1"}}).termination_deadline == 1s);
  CHECK(
      good({{"TERMINATION_GRACE_PERIOD_SECONDS", "30"}, {"CONNECTION_TERMINATION_DEADLINE", "2s"}})
          .termination_deadline == 2s);
}

TEST_CASE("a wrong value is told with its variable and what would be right") {
  struct Row {
    const char* name;
    const char* value;
    const char* mend;
  };
  constexpr const char* kBoolean = "write true or false";
  constexpr const char* kDuration = "write a duration such as 5s, 10m or 1h";
  constexpr const char* kThreads = "write a number of threads, 0 for all cores, or N%";
  for (const Row& row :
       {Row{"AQUIFER_IO", "kqueue", "write uring or epoll"},
        Row{"AQUIFER_EARLY_DATA", "true", "write on or off"},
        Row{"ENABLE_ORIG_SRC", "yes", "write true or false"},
        Row{"PACKET_MARK", "0", "write a number from 1 to 4095"},
        Row{"PACKET_MARK", "0x539", "write a number from 1 to 4095"},
        Row{"PACKET_MARK", "4096", "write a number from 1 to 4095"},
        Row{"PACKET_MARK", "273",
            "the answers of captured connections carry this mark; take another"},
        Row{"COMPLIANCE_POLICY", "fips-140-2", "write pqc, or unset it"},
        Row{"IPV6_ENABLED", "TRUE", kBoolean},
        Row{"INPOD_PORT_REUSE", "", kBoolean},
        Row{"ENABLE_RESPONSE_BAGGAGE", "on", kBoolean},
        Row{"KEEPALIVE_ENABLED", "2", kBoolean},
        Row{"USER_TIMEOUT_ENABLED", "no", kBoolean},
        Row{"KEEPALIVE_TIME", "soon", kDuration},
        Row{"KEEPALIVE_INTERVAL", "-1s", kDuration},
        Row{"KEEPALIVE_RETRIES", "128", "write a number from 1 to 127"},
        Row{"POOL_MAX_STREAMS_PER_CONNECTION", "0", "write a number from 1 to 1000"},
        Row{"POOL_UNUSED_RELEASE_TIMEOUT", "0s", kDuration},
        Row{"TERMINATION_GRACE_PERIOD_SECONDS", "30s", "write a number from 1 to 86400"},
        Row{"CONNECTION_TERMINATION_DEADLINE", "5 s", kDuration},
        Row{"SECRET_TTL", "forever", kDuration},
        Row{"AQUIFER_POD_QUEUE_BYTES", "1048575",
            "write a number from 1048576 to 18446744073709551615"},
        Row{"ZTUNNEL_WORKER_THREADS", "257", kThreads},
        Row{"ZTUNNEL_WORKER_THREADS", "101%", kThreads},
        Row{"ZTUNNEL_WORKER_THREADS", "%", kThreads},
        Row{"ZTUNNEL_WORKER_THREADS", "-1", kThreads}}) {
    CHECK(complaint({{row.name, row.value}}) ==
          std::string(row.name) + "=" + row.value + ": " + row.mend);
  }
}

TEST_CASE("of several wrong values one is told, and none is taken for right") {
  const std::string told = complaint({{"IPV6_ENABLED", "maybe"}, {"PACKET_MARK", "none"}});
  CHECK(told.find('\n') == std::string::npos);
  CHECK(told.starts_with("PACKET_MARK=none: "));
}

TEST_CASE(
    "COMPLIANCE_POLICY=pqc is honoured where OpenSSL can, and refused at start where it cannot") {
  if (tls::can_exchange_keys(tls::KeyExchange::hybrid_only)) {
    CHECK(good({{"COMPLIANCE_POLICY", "pqc"}}).key_exchange == tls::KeyExchange::hybrid_only);
  } else {
    const std::string told = complaint({{"COMPLIANCE_POLICY", "pqc"}});
    CHECK(told.starts_with("COMPLIANCE_POLICY=pqc: OpenSSL "));
    CHECK(told.ends_with(" has no X25519MLKEM768: run with OpenSSL 3.5 or later, or unset it"));
  }
  CHECK(good({{"COMPLIANCE_POLICY", ""}}).key_exchange == tls::KeyExchange::hybrid_first);
}

TEST_CASE("a variable of the peer that has no effect here is told, one line each") {
  CHECK(good({}).warnings.empty());
  const auto told = good({{"CRL_PATH", "/etc/crl.pem"},
                          {"TLS12_ENABLED", "true"},
                          {"PROXY_MODE", "dedicated"},
                          {"LOCAL_XDS_PATH", "config.yaml"},
                          {"AUTH_TOKEN", "a secret"},
                          {"NODE_NAME", "honoured"}})
                        .warnings;
  REQUIRE(told.size() == 5);
  CHECK(told[0] ==
        "CRL_PATH=/etc/crl.pem has no effect: certificates are NOT looked up there; revoked ones "
        "are accepted");
  CHECK(told[1].starts_with("TLS12_ENABLED=true has no effect: "));
  CHECK(told[2].starts_with("PROXY_MODE=dedicated has no effect: "));
  CHECK(told[3].starts_with("LOCAL_XDS_PATH=config.yaml has no effect: "));
  CHECK(told[4].starts_with("AUTH_TOKEN=... has no effect: "));
}

TEST_CASE("a variable that asks for what is so anyway is not worth a word") {
  CHECK(good({{"PROXY_MODE", "shared"},
              {"TLS12_ENABLED", "false"},
              {"ENABLE_PROXY", "true"},
              {"FAKE_CA", "false"},
              {"CRL_PATH", ""}})
            .warnings.empty());
}

TEST_CASE("durations in the peer's units") {
  struct Row {
    const char* text;
    Duration duration;
  };
  for (const Row& row :
       {Row{"90", 90s}, Row{"5s", 5s}, Row{"5sec", 5s}, Row{"5secs", 5s}, Row{"300ms", 300ms},
        Row{"1.5s", 1500ms}, Row{"2m", 2min}, Row{"2min", 2min}, Row{"2mins", 2min}, Row{"1h", 1h},
        Row{"1hr", 1h}, Row{"24hrs", 24h}, Row{"1d", 24h}, Row{"1day", 24h}, Row{"2days", 48h}}) {
    CAPTURE(row.text);
    const auto parsed = parse_duration(row.text);
    REQUIRE(parsed.has_value());
    CHECK(*parsed == row.duration);
  }
}

TEST_CASE("what is no positive duration of at most a hundred years is refused") {
  for (const char* text : {"", "s", "0", "0s", "-1s", "1 s", " 1s", "1s ", "1x", "1ss", "inf",
                           "nan", "1e400", "101000days", "1e30", "5S", "+5s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text).has_value());
  }
}

TEST_CASE("DNS is captured unless ISTIO_META_DNS_CAPTURE says anything but true") {
  CHECK(good({}).dns.capture);
  CHECK(good({{"ISTIO_META_DNS_CAPTURE", "true"}}).dns.capture);
  for (const char* off : {"false", "", "TRUE", "1", "yes"})
    CHECK_FALSE(good({{"ISTIO_META_DNS_CAPTURE", off}}).dns.capture);
}

TEST_CASE("the DNS proxy listens on the pod's loopback, on a port of the operator's choice") {
  CHECK(good({}).dns.port == 15053);
  CHECK(good({{"ISTIO_META_DNS_PROXY_ADDR", "localhost:5354"}}).dns.port == 5354);
  CHECK(good({{"ISTIO_META_DNS_PROXY_ADDR", "127.0.0.1:53"}}).dns.port == 53);
  CHECK(good({{"ISTIO_META_DNS_PROXY_ADDR", "[::1]:53"}}).dns.port == 53);
  for (const char* wrong :
       {"", "localhost", "localhost:0", "0.0.0.0:53", "10.0.0.1:53", "dns:53"}) {
    CHECK(complaint({{"ISTIO_META_DNS_PROXY_ADDR", wrong}}) ==
          std::string("ISTIO_META_DNS_PROXY_ADDR=") + wrong + ": write localhost:PORT");
  }
}

TEST_CASE("DNS servers and a preferred namespace may be named") {
  CHECK_FALSE(good({}).dns.upstream.has_value());
  const auto servers = good({{"AQUIFER_DNS_UPSTREAM", "10.0.0.1,[fd00::1]:5353"}}).dns.upstream;
  REQUIRE(servers.has_value());
  CHECK(servers->size() == 2);
  CHECK(servers->back().to_string() == "[fd00::1]:5353");
  CHECK(good({{"PREFERED_SERVICE_NAMESPACE", "shop"}}).dns.preferred_namespace == "shop");
  CHECK(
      complaint({{"AQUIFER_DNS_UPSTREAM", "dns.example"}}) ==
      "AQUIFER_DNS_UPSTREAM=dns.example: write one to three servers as IP or IP:PORT, with commas "
      "between them");
}

TEST_CASE("connections stay on the node unless that is turned off") {
  CHECK(good({}).same_node == SameNodePath::on);
  CHECK(good({{"AQUIFER_SAME_NODE", "on"}}).same_node == SameNodePath::on);
  CHECK(good({{"AQUIFER_SAME_NODE", "off"}}).same_node == SameNodePath::off);
  CHECK(complaint({{"AQUIFER_SAME_NODE", "no"}}) == "AQUIFER_SAME_NODE=no: write on or off");
}
