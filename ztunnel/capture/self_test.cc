// Capture::create: which of the node's iptables to use, found out by putting all rules into a
// namespace made for that. A kernel lacks a match or a target only when a rule asks for it, so
// nothing less than the real rules tells.
#include "ztunnel/capture/capture.h"
#include "ztunnel/capture/policy_routing.h"
#include "ztunnel/capture/reconcile.h"

#include <fmt/format.h>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

namespace aquifer::ztunnel {

namespace {

Status raise_loopback() {
  const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof(request.ifr_name) - 1);
  request.ifr_flags = IFF_UP;
  if (!fd || ::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return fail(
        error_from_errno(errno, "raising the loopback interface of a scratch network namespace"));
  }
  return {};
}

// A new namespace that lives as long as the value. Made on a thread of its own, which ends in it:
// the calling thread never leaves its namespace for one that it could not find back from.
Result<io::NetworkNamespace> make_scratch_namespace() {
  Result<io::NetworkNamespace> made = fail(Errc::internal);
  std::thread maker([&made] {
    if (::unshare(CLONE_NEWNET) != 0) {
      made = fail(error_from_errno(errno, "making a scratch network namespace"));
    } else if (auto raised = raise_loopback(); !raised) {
      made = fail(raised.error());
    } else {
      made = io::NetworkNamespace::current();
    }
  });
  maker.join();
  return made;
}

bool kernel_has_ipv6(const io::NetworkNamespace& any) {
  const auto socket = io::socket_in(any, AF_INET6, SOCK_DGRAM, 0);
  return socket.has_value() || socket.error().detail != EAFNOSUPPORT;
}

CaptureStatus try_family(const Iptables& tools, const io::NetworkNamespace& scratch, Family family,
                         const CaptureOptions& options) {
  if (!tools.has(family))
    return capture_fail(CaptureFailure::unsupported, "ip6tables is not installed");
  // Draining first: it is the only phase with its rules, and the way on from it is what a
  // re-enrolled pod takes.
  for (const CapturePhase phase : {CapturePhase::draining, CapturePhase::captured}) {
    auto saved = tools.save(scratch, family);
    if (!saved) return std::unexpected(std::move(saved.error()));
    auto written = tools.restore(
        scratch, family,
        script_to_reach(
            plan_rules(phase, family, options.dns, options.proxy_mark, options.dns_port), *saved));
    if (!written) return written;
  }
  if (auto routed = install_return_route(scratch, family); !routed) return routed;
  // The supervisor compares what iptables-save prints with what was asked for; a version that
  // prints it another way would have it mend healthy rules for ever.
  const auto saved = tools.save(scratch, family);
  if (!saved) return std::unexpected(saved.error());
  const auto difference = first_difference(
      plan_rules(CapturePhase::captured, family, options.dns, options.proxy_mark, options.dns_port),
      *saved);
  if (difference)
    return capture_fail(CaptureFailure::unsupported,
                        fmt::format("rules read back differ: {}", *difference));
  return {};
}

bool is_choice(VariantChoice choice, IptablesVariant variant) {
  return choice == VariantChoice::automatic ||
         (choice == VariantChoice::nft) == (variant == IptablesVariant::nft);
}

}  // namespace

CaptureStatus Capture::self_test() {
  const auto scratch = make_scratch_namespace();
  if (!scratch) return capture_fail(CaptureFailure::name_space, scratch.error().message());
  const Iptables& tools = tools_.front();
  auto tried = try_family(tools, *scratch, Family::ipv4, options_);
  if (!tried) return capture_fail(CaptureFailure::unsupported, std::move(tried.error().reason));
  families_ = {Family::ipv4};
  note_.clear();
  if (options_.ipv6 == Ipv6Capture::off || !kernel_has_ipv6(*scratch)) return {};
  tried = try_family(tools, *scratch, Family::ipv6, options_);
  if (tried) {
    families_.push_back(Family::ipv6);
  } else {
    note_ = std::move(tried.error().reason);
  }
  return {};
}

CaptureResult<Capture> Capture::create(const CaptureOptions& options) {
  const auto home = io::NetworkNamespace::current();
  if (!home) return capture_fail(CaptureFailure::name_space, home.error().message());
  auto found = Iptables::find(default_search_path(), *home);
  std::string reasons;
  std::optional<Capture> without_ipv6;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!is_choice(options.variant, found[i].variant())) continue;
    // The one under trial comes first, the others keep their order behind it.
    std::vector<Iptables> tools = found;
    std::ranges::rotate(tools.begin(), tools.begin() + static_cast<std::ptrdiff_t>(i),
                        tools.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    Capture capture(options, std::move(tools));
    auto passed = capture.self_test();
    if (passed && capture.note_.empty()) return capture;
    if (passed) {
      if (!without_ipv6) without_ipv6 = std::move(capture);
      continue;
    }
    reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", passed.error().reason);
  }
  if (without_ipv6) return std::move(*without_ipv6);
  if (reasons.empty())
    reasons = "no iptables-restore and iptables-save of the wanted kind found on this node";
  return capture_fail(CaptureFailure::unsupported, std::move(reasons));
}

}  // namespace aquifer::ztunnel
