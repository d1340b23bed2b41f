// Capture: puts the rules that capture a pod into its network namespace, keeps watch over them, and
// takes them out again without cutting a connection. The rules outlive the process: a captured pod
// whose proxy is gone fails closed. Blocking (it runs iptables): control thread only, never a loop.
// Not thread-safe.
//
// A pod's life:  install()  ...  release_redirects()  ...  remove()
// The middle one is for pods that leave the mesh while the proxy runs: no new connection is
// captured, those that are live on, and remove() follows when the last of them has ended. install()
// leads back from any state, also from what a crash left behind.
#pragma once

#include "common/io/netns.h"
#include "ztunnel/capture/capture_error.h"
#include "ztunnel/capture/iptables.h"
#include "ztunnel/capture/rules.h"
#include "ztunnel/capture/rules_stamp.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

enum class Ipv6Capture : std::uint8_t { off, on };

enum class VariantChoice : std::uint8_t { automatic, nft, legacy };

struct CaptureOptions {
  /// Off with IPV6_ENABLED=false: then a pod's IPv6 traffic is not captured.
  Ipv6Capture ipv6 = Ipv6Capture::on;
  DnsCapture dns = DnsCapture::off;
  /// What the proxy's own sockets carry (PACKET_MARK).
  std::uint32_t proxy_mark = kProxyMark;
  /// Where captured queries are sent to, on the pod's loopback.
  std::uint16_t dns_port = kDnsPort;
  /// Automatic: the first of the node's iptables that passes the self-test, its own default first.
  VariantChoice variant = VariantChoice::automatic;
};

/// What a namespace was found to hold.
struct CaptureState {
  enum class Kind : std::uint8_t {
    absent,    ///< nothing of ours
    draining,  ///< as release_redirects() leaves it
    captured,  ///< as install() leaves it
    damaged,   ///< neither: somebody changed it, or a crash came in between; install() or remove()
               ///< mends it
  };
  Kind kind = Kind::absent;
  /// When damaged: what was found first to differ from captured.
  std::string difference;
  /// When another proxy's rules are there: which. install() would refuse.
  std::string conflict;
};

class Capture {
 public:
  /// Finds the node's iptables and tries all rules in a scratch namespace of its own. Failing means
  /// that no pod of this node can be captured, and says why.
  [[nodiscard]] static CaptureResult<Capture> create(const CaptureOptions& options);

  /// Whatever the namespace holds of ours becomes exactly the full set; nothing is written where it
  /// is already right. Open connections live on, captured or not. Refused with
  /// CaptureFailure::conflict where another proxy captures. On failure what was written stays, for
  /// it fails closed; try again, or remove().
  [[nodiscard]] CaptureStatus install(const io::NetworkNamespace& pod);

  /// No new connection is captured from here on; the captured ones live on. Nothing happens where
  /// nothing is ours.
  [[nodiscard]] CaptureStatus release_redirects(const io::NetworkNamespace& pod);

  /// Takes out everything, of either variant and both families. Captured connections that are still
  /// open are cut. Goes on after a failure, so as to take out what can be, and reports the first.
  [[nodiscard]] CaptureStatus remove(const io::NetworkNamespace& pod);

  /// Cheap enough for every few seconds and hundreds of pods: while nothing has changed in the
  /// namespace since it was last found captured, no program is started.
  [[nodiscard]] CaptureResult<CaptureState> inspect(const io::NetworkNamespace& pod);

  /// To be called when a namespace is given up without remove(): a pod that is gone.
  void forget(const io::NamespaceId& pod) { captured_stamps_.erase(pod); }

  /// What was chosen, for the log: "/usr/sbin/iptables-restore (nft), IPv4 and IPv6".
  [[nodiscard]] std::string description() const;
  /// Empty, or why IPv6 cannot be captured on this node although it was wanted. Pods that have an
  /// IPv6 address of their own are then refused by install(), never left half captured.
  [[nodiscard]] const std::string& note() const noexcept { return note_; }

 private:
  // What one of the node's iptables says about one family.
  struct Reading {
    const Iptables* tools;
    Family family;
    SavedRules rules;
  };

  Capture(const CaptureOptions& options, std::vector<Iptables> tools) noexcept
      : options_(options), tools_(std::move(tools)) {}

  [[nodiscard]] CaptureStatus self_test();
  [[nodiscard]] CaptureResult<std::vector<Reading>> read_all(const io::NetworkNamespace& pod) const;
  [[nodiscard]] bool captures(Family family) const;
  [[nodiscard]] RulePlan wanted(CapturePhase phase, const Reading& reading) const;
  [[nodiscard]] std::optional<std::string> rules_difference(
      CapturePhase phase, const std::vector<Reading>& readings) const;
  [[nodiscard]] CaptureStatus install_routes(const io::NetworkNamespace& pod) const;
  [[nodiscard]] CaptureResult<std::optional<std::string>> routes_difference(
      const io::NetworkNamespace& pod) const;
  [[nodiscard]] CaptureResult<CaptureState> inspect_fully(const io::NetworkNamespace& pod) const;
  [[nodiscard]] bool unchanged_since_captured(const io::NetworkNamespace& pod) const;

  CaptureOptions options_;
  // Never empty; the first is used for capturing, the others are only swept of what earlier runs
  // left in them.
  std::vector<Iptables> tools_;
  // Those whose traffic is captured: IPv4, and IPv6 where it is wanted and can be.
  std::vector<Family> families_;
  std::string note_;
  // Namespaces last found captured, as the kernel's stamp of that moment. Forgotten by every change
  // of ours.
  std::map<io::NamespaceId, RulesStamp> captured_stamps_;
};

[[nodiscard]] std::string_view name_of(CaptureState::Kind kind) noexcept;

}  // namespace aquifer::ztunnel
