// ServersWatch: which servers queries are forwarded to, as the node's resolv.conf says now. Reads
// files: control thread only, never a loop.
#pragma once

#include "ztunnel/dns/upstream.h"

#include <optional>
#include <string>

namespace aquifer::ztunnel::dns {

class ServersWatch {
 public:
  struct Files {
    std::string resolv_conf = "/etc/resolv.conf";
    /// Where systemd-resolved writes the real servers, when resolv.conf names only its own stub on
    /// the node's loopback, which pods cannot reach.
    std::string behind_stub = "/run/systemd/resolve/resolv.conf";
  };

  /// `fixed`: what the operator says instead of the files.
  explicit ServersWatch(std::optional<Servers> fixed) : ServersWatch(std::move(fixed), Files()) {}
  ServersWatch(std::optional<Servers> fixed, Files files);

  /// Never null.
  [[nodiscard]] const ServersPtr& current() const noexcept { return current_; }
  /// Looks again. True when the servers are others than before.
  [[nodiscard]] bool poll();

 private:
  [[nodiscard]] Servers read() const;

  std::optional<Servers> fixed_;
  Files files_;
  ServersPtr current_;
};

/// For the log: "10.0.0.1:53, [fd00::1]:53", or that there is none.
[[nodiscard]] std::string describe(const Servers& servers);

}  // namespace aquifer::ztunnel::dns
