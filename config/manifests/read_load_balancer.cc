// The loadBalancer of a trafficPolicy.
#include "common/base/header_fields.h"
#include "config/manifests/read_traffic_policy.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

using l7::BalancerKind;

// Envoy's bounds: 8M entries are 64 MiB for one cluster.
constexpr std::uint32_t kRingSizeMax = 8'388'608;
constexpr std::uint32_t kMaglevSizeMax = 5'000'011;

void read_simple(Fields& fields, l7::Balancing& balancing) {
  const auto simple = fields.text("simple");
  if (!simple || *simple == "UNSPECIFIED" || *simple == "LEAST_REQUEST" || *simple == "LEAST_CONN")
    return;
  if (*simple == "ROUND_ROBIN") {
    balancing.kind = BalancerKind::round_robin;
  } else if (*simple == "RANDOM") {
    balancing.kind = BalancerKind::random;
  } else if (*simple == "PASSTHROUGH") {
    fields.warn("simple",
                "PASSTHROUGH has no meaning at a waypoint, which chooses the endpoint: "
                "LEAST_REQUEST is done");
  } else {
    fields.error("simple", fmt::format("{} is none: write LEAST_REQUEST, ROUND_ROBIN or RANDOM",
                                       in_quotes(*simple)));
  }
}

void read_cookie(Fields& fields, l7::HashSource& source) {
  source.kind = l7::HashSource::Kind::cookie;
  source.name = fields.text_or("name", "");
  source.cookie_path = fields.text_or("path", "");
  if (const auto ttl = read_duration(fields, "ttl"))
    source.cookie_ttl = std::chrono::ceil<std::chrono::seconds>(*ttl);
  if (!is_token(source.name)) fields.error("name", "missing, or no name of a cookie: write one");
  const bool plain = source.cookie_path.find_first_of("; \t\r\n") == std::string::npos;
  if (!plain) fields.error("path", "cannot stand in a cookie: write a path such as /");
  fields.finish();
}

bool is_prime(std::uint32_t number) {
  if (number < 2) return false;
  for (std::uint32_t divisor = 2; divisor <= number / divisor; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return true;
}

void read_consistent_hash(Fields& fields, l7::Balancing& balancing) {
  if (!fields.present()) return;
  balancing.kind = BalancerKind::ring_hash;
  l7::HashSource source;
  std::size_t sources = 0;
  if (const auto name = fields.text("httpHeaderName")) {
    ++sources;
    source.name = header_name(fields, "httpHeaderName", *name, PseudoHeaders::allowed).value_or("");
  }
  if (Fields cookie = fields.map("httpCookie"); cookie.present()) {
    ++sources;
    read_cookie(cookie, source);
  }
  if (fields.boolean("useSourceIp").value_or(false)) {
    ++sources;
    source.kind = l7::HashSource::Kind::source_ip;
  }
  if (const auto name = fields.text("httpQueryParameterName")) {
    ++sources;
    source.kind = l7::HashSource::Kind::query;
    source.name = *name;
  }
  if (sources != 1) {
    fields.error("",
                 "must say by what is hashed: write one of httpHeaderName, httpCookie, "
                 "useSourceIp and httpQueryParameterName");
  }
  if (const auto size = read_count(fields, "minimumRingSize", kRingSizeMax))
    balancing.ring_size_min = std::max<std::uint32_t>(*size, 1);
  if (Fields ring = fields.map("ringHash"); ring.present()) {
    if (const auto size = read_count(ring, "minimumRingSize", kRingSizeMax))
      balancing.ring_size_min = std::max<std::uint32_t>(*size, 1);
    ring.finish();
  }
  if (Fields maglev = fields.map("maglev"); maglev.present()) {
    balancing.kind = BalancerKind::maglev;
    if (const auto size = read_count(maglev, "tableSize", kMaglevSizeMax)) {
      balancing.maglev_table = *size;
      if (!is_prime(*size))
        maglev.error("tableSize", fmt::format("{} is no prime: write one such as 65537", *size));
    }
    maglev.finish();
  }
  fields.finish();
  balancing.hash = {std::move(source)};
}

void read_warmup(Fields& fields, l7::Balancing& balancing) {
  if (const auto old = read_duration(fields, "warmupDurationSecs")) balancing.slow_start = *old;
  Fields warmup = fields.map("warmup");
  if (!warmup.present()) return;
  balancing.slow_start = read_duration(warmup, "duration").value_or(Duration::zero());
  balancing.slow_start_aggression = read_decimal(warmup, "aggression", 1, 100).value_or(1.0);
  balancing.slow_start_min_percent =
      static_cast<std::uint32_t>(read_decimal(warmup, "minimumPercent", 0, 100).value_or(10.0));
  warmup.finish();
}

l7::LocalityRule read_distribute(Fields& fields) {
  l7::LocalityRule rule;
  rule.from = fields.text_or("from", "");
  if (rule.from.empty()) fields.error("from", "missing: write a locality such as region/zone/*");
  Fields to = fields.map("to");
  const YamlNode* raw = fields.raw("to");
  std::uint64_t sum = 0;
  const std::size_t entries = to.present() ? raw->children.size() / 2 : 0;
  // Each is looked up by its name: a bound keeps that from taking long.
  for (std::size_t i = 0; within(fields, "to", entries, kItemsMax) && i < 2 * entries; i += 2) {
    const std::string& locality = raw->children[i]->text;
    const std::uint32_t share = read_count(to, locality, 100).value_or(0);
    rule.to.emplace(locality, share);
    sum += share;
  }
  if (sum != 100)
    fields.error("to", fmt::format("the shares add up to {}: they must make 100", sum));
  fields.finish();
  return rule;
}

// Labels of topology are what is nearer and farther; others are not known to the model.
void read_failover_priority(Fields& fields, l7::Balancing& balancing) {
  for (const TextItem& item : fields.texts("failoverPriority")) {
    const bool topology = item.text.starts_with("topology.kubernetes.io/") ||
                          item.text.starts_with("topology.istio.io/");
    if (topology) {
      balancing.prefer_near = true;
    } else {
      fields.warn_at(item.line, "failoverPriority",
                     fmt::format("{} is not read: only labels of topology.kubernetes.io and "
                                 "topology.istio.io are, which mean nearer before farther",
                                 in_quotes(item.text)));
    }
  }
}

void read_locality(Fields& fields, TrafficPolicyObject& policy, l7::Balancing& balancing) {
  if (!fields.present()) return;
  policy.locality_enabled = fields.boolean("enabled");
  fields.each("distribute", [&](Fields& item) {
    if (balancing.distribute.size() < kItemsMax)
      balancing.distribute.push_back(read_distribute(item));
  });
  fields.each("failover", [&](Fields& item) {
    const std::string from = item.text_or("from", "");
    const std::string to = item.text_or("to", "");
    if (from.empty() || to.empty() || from == to) item.error("", "write two regions, from and to");
    if (balancing.failover.size() < kItemsMax) balancing.failover.emplace(from, to);
    item.finish();
  });
  read_failover_priority(fields, balancing);
  if (!balancing.distribute.empty() && (!balancing.failover.empty() || balancing.prefer_near)) {
    fields.error("distribute", "stands beside failover or failoverPriority: write one of them");
  }
  fields.finish();
}

}  // namespace

void read_load_balancer(Fields& fields, TrafficPolicyObject& policy) {
  l7::Balancing balancing;
  read_simple(fields, balancing);
  Fields hash = fields.map("consistentHash");
  if (hash.present() && fields.has("simple"))
    fields.error("simple", "stands beside consistentHash: write one of the two");
  read_consistent_hash(hash, balancing);
  read_warmup(fields, balancing);
  Fields locality = fields.map("localityLbSetting");
  read_locality(locality, policy, balancing);
  fields.finish();
  policy.balancing = std::move(balancing);
}

}  // namespace aquifer::manifests
