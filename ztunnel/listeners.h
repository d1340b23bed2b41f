// The listening sockets of a pod: made in the pod's namespace, handed to the pod's loop, and
// later turned away from without refusing anybody. Any thread.
#pragma once

#include "common/base/fd.h"
#include "common/io/netns.h"
#include "ztunnel/dns/sockets.h"
#include "ztunnel/pod_context.h"
#include "ztunnel/settings.h"

#include <expected>
#include <optional>
#include <string>

namespace aquifer::ztunnel {

struct PodListeners {
  Fd outbound;   // 15001
  Fd plaintext;  // 15006
  Fd hbone;      // 15008
  /// Empty with ISTIO_META_DNS_CAPTURE=false.
  std::optional<dns::Sockets> dns;
  /// Whether the namespace lets sockets take the client's address.
  Transparency transparent = Transparency::off;
};

/// All or none; the text names the port and says what to do.
[[nodiscard]] std::expected<PodListeners, std::string> make_listeners(
    const io::NetworkNamespace& pod, const Settings& settings);

/// From now on the kernel gives new connections to the newest socket on the same port, if another
/// process (our successor) has one: connections that were queued for us stay ours. Nothing changes
/// when we are alone. Works for a group of two; with three or more the kernel goes on choosing by
/// hash.
void steer_to_newest(int listener) noexcept;

}  // namespace aquifer::ztunnel
