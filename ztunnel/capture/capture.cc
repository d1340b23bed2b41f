#include "ztunnel/capture/capture.h"

#include "ztunnel/capture/ipv6_presence.h"
#include "ztunnel/capture/policy_routing.h"
#include "ztunnel/capture/reconcile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace aquifer::ztunnel {

namespace {

constexpr std::array<Family, 2> kAllFamilies = {Family::ipv4, Family::ipv6};

std::string rivals_in(const SavedRules& rules) {
  return rules.rivals.empty() ? std::string() : fmt::format("{}", fmt::join(rules.rivals, ", "));
}

}  // namespace

bool Capture::captures(Family family) const {
  return std::ranges::find(families_, family) != families_.end();
}

CaptureResult<std::vector<Capture::Reading>> Capture::read_all(
    const io::NetworkNamespace& pod) const {
  std::vector<Reading> readings;
  for (const Iptables& tools : tools_) {
    for (const Family family : kAllFamilies) {
      if (!tools.has(family)) continue;
      auto rules = tools.save(pod, family);
      if (rules) {
        readings.push_back({&tools, family, std::move(*rules)});
      } else if (&tools == &tools_.front() && captures(family)) {
        return std::unexpected(std::move(rules.error()));
      }
      // What is not used for capturing need not work: a kernel may lack the other variant, or IPv6.
    }
  }
  return readings;
}

RulePlan Capture::wanted(CapturePhase phase, const Reading& reading) const {
  // While draining, translations live in whichever variant made them.
  if (phase == CapturePhase::draining) {
    return plan_rules(reading.rules.has_own_chains() ? phase : CapturePhase::absent, reading.family,
                      options_.dns, options_.proxy_mark, options_.dns_port);
  }
  const bool used = reading.tools == &tools_.front() && captures(reading.family);
  return plan_rules(used ? phase : CapturePhase::absent, reading.family, options_.dns,
                    options_.proxy_mark, options_.dns_port);
}

std::optional<std::string> Capture::rules_difference(CapturePhase phase,
                                                     const std::vector<Reading>& readings) const {
  for (const Reading& reading : readings) {
    const auto difference = first_difference(wanted(phase, reading), reading.rules);
    if (difference)
      return fmt::format("{} ({}): {}", name_of(reading.family), name_of(reading.tools->variant()),
                         *difference);
  }
  return std::nullopt;
}

CaptureStatus Capture::install_routes(const io::NetworkNamespace& pod) const {
  for (const Family family : families_) {
    auto done = install_return_route(pod, family);
    if (done) continue;
    // Without one IPv6 address there is nothing to route, and nothing to capture.
    if (family == Family::ipv6 && ipv6_presence(pod) == Ipv6Presence::none) continue;
    return done;
  }
  return {};
}

CaptureResult<std::optional<std::string>> Capture::routes_difference(
    const io::NetworkNamespace& pod) const {
  for (const Family family : families_) {
    auto difference = return_route_difference(pod, family);
    if (!difference) return difference;
    if (!difference->has_value()) continue;
    if (family == Family::ipv6 && ipv6_presence(pod) == Ipv6Presence::none) continue;
    return fmt::format("{}: {}", name_of(family), **difference);
  }
  return std::nullopt;
}

CaptureStatus Capture::install(const io::NetworkNamespace& pod) {
  forget(pod.id());
  if (!note_.empty() && ipv6_presence(pod) == Ipv6Presence::routed) {
    return capture_fail(
        CaptureFailure::unsupported,
        fmt::format("the pod has an IPv6 address and its IPv6 traffic cannot be captured: {} "
                    "(IPV6_ENABLED=false leaves it uncaptured)",
                    note_));
  }
  auto readings = read_all(pod);
  if (!readings) return std::unexpected(std::move(readings.error()));
  for (const Reading& reading : *readings) {
    if (reading.rules.rivals.empty()) continue;
    return capture_fail(
        CaptureFailure::conflict,
        fmt::format("another proxy captures this pod ({} chains, by {} iptables: {})",
                    name_of(reading.family), name_of(reading.tools->variant()),
                    rivals_in(reading.rules)));
  }
  // What redirected connections need comes before the redirects; script_to_reach() orders the
  // tables likewise. The variant that captures is written before leftovers of the other go: at no
  // moment is the pod less captured.
  if (auto routed = install_routes(pod); !routed) return routed;
  for (const Reading& reading : *readings) {
    auto written = reading.tools->restore(
        pod, reading.family,
        script_to_reach(wanted(CapturePhase::captured, reading), reading.rules));
    if (!written) return written;
  }
  return {};
}

CaptureStatus Capture::release_redirects(const io::NetworkNamespace& pod) {
  forget(pod.id());
  auto readings = read_all(pod);
  if (!readings) return std::unexpected(std::move(readings.error()));
  for (const Reading& reading : *readings) {
    auto written = reading.tools->restore(
        pod, reading.family,
        script_to_reach(wanted(CapturePhase::draining, reading), reading.rules));
    if (!written) return written;
  }
  return {};
}

CaptureStatus Capture::remove(const io::NetworkNamespace& pod) {
  forget(pod.id());
  CaptureStatus first_failure;
  const auto keep_first = [&](CaptureStatus done) {
    if (!done && first_failure) first_failure = std::move(done);
  };
  auto readings = read_all(pod);
  if (!readings) return std::unexpected(std::move(readings.error()));
  for (const Reading& reading : *readings) {
    keep_first(reading.tools->restore(pod, reading.family, script_to_reach({}, reading.rules)));
  }
  // The redirects are gone, so nothing needs the return path any more.
  for (const Family family : kAllFamilies) keep_first(remove_return_route(pod, family));
  return first_failure;
}

CaptureResult<CaptureState> Capture::inspect_fully(const io::NetworkNamespace& pod) const {
  auto readings = read_all(pod);
  if (!readings) return std::unexpected(std::move(readings.error()));
  CaptureState state;
  for (const Reading& reading : *readings) {
    if (state.conflict.empty()) state.conflict = rivals_in(reading.rules);
  }
  auto routes = routes_difference(pod);
  if (!routes) return std::unexpected(std::move(routes.error()));
  const auto from_captured = rules_difference(CapturePhase::captured, *readings);
  if (!from_captured && !*routes) {
    state.kind = CaptureState::Kind::captured;
  } else if (!rules_difference(CapturePhase::absent, *readings)) {
    state.kind = CaptureState::Kind::absent;
  } else if (!rules_difference(CapturePhase::draining, *readings) && !*routes) {
    state.kind = CaptureState::Kind::draining;
  } else {
    state.kind = CaptureState::Kind::damaged;
    state.difference = from_captured ? *from_captured : **routes;
  }
  if (state.kind == CaptureState::Kind::captured && !note_.empty() &&
      ipv6_presence(pod) == Ipv6Presence::routed) {
    state.kind = CaptureState::Kind::damaged;
    state.difference =
        "the pod has got an IPv6 address and its IPv6 traffic cannot be captured: " + note_;
  }
  return state;
}

bool Capture::unchanged_since_captured(const io::NetworkNamespace& pod) const {
  const auto known = captured_stamps_.find(pod.id());
  if (known == captured_stamps_.end()) return false;
  if (!note_.empty() && ipv6_presence(pod) == Ipv6Presence::routed) return false;
  const auto stamp = read_rules_stamp(pod, tools_.front().variant(), families_);
  if (!stamp || *stamp != known->second) return false;
  const auto routes = routes_difference(pod);
  return routes && !routes->has_value();
}

CaptureResult<CaptureState> Capture::inspect(const io::NetworkNamespace& pod) {
  if (unchanged_since_captured(pod)) return CaptureState{CaptureState::Kind::captured, {}, {}};
  // Read before the rules: a change in between makes the next inspection look again.
  auto stamp = read_rules_stamp(pod, tools_.front().variant(), families_);
  auto state = inspect_fully(pod);
  forget(pod.id());
  if (stamp && state && state->kind == CaptureState::Kind::captured && state->conflict.empty()) {
    captured_stamps_[pod.id()] = std::move(*stamp);
  }
  return state;
}

std::string Capture::description() const {
  return fmt::format("{}, {}", tools_.front().description(),
                     families_.size() == 2 ? "IPv4 and IPv6" : "IPv4 only");
}

std::string_view name_of(CaptureState::Kind kind) noexcept {
  switch (kind) {
    case CaptureState::Kind::absent: return "absent";
    case CaptureState::Kind::draining: return "draining";
    case CaptureState::Kind::captured: return "captured";
    case CaptureState::Kind::damaged: return "damaged";
  }
  return "unknown";
}

}  // namespace aquifer::ztunnel
