// ShortCuts: connections of one pod to others on its node, handed over inside the proxy instead of
// going through a tunnel. Whenever something that they need is missing, the answer is to take the
// tunnel, which then says itself what is wrong; never plaintext on the wire. On the pod's loop.
#pragma once

#include "common/io/byte_stream.h"
#include "common/telemetry/connection_record.h"
#include "config/model/resolved_target.h"
#include "ztunnel/same_node/local_pods.h"
#include "ztunnel/same_node/path_proofs.h"

#include <memory>
#include <optional>

namespace aquifer::ztunnel {

struct OutboundCall;

/// Nothing: take the tunnel. Else what a tunnel's open() would have said.
using ShortCut = std::optional<Result<std::unique_ptr<io::ByteStream>>>;

class ShortCuts {
 public:
  /// `pod` outlives it.
  explicit ShortCuts(PodContext& pod) noexcept : pod_(pod), proofs_(pod) {}
  ShortCuts(const ShortCuts&) = delete;
  ShortCuts& operator=(const ShortCuts&) = delete;

  /// How the bytes of a connection to `target` are expected to travel.
  [[nodiscard]] telemetry::Transport transport_to(const model::Workload& source,
                                                  const model::ResolvedTarget& target) const;
  /// `call` was judged; `record` is its own. Both outlive what comes of it.
  [[nodiscard]] coro::Task<ShortCut> open(const OutboundCall& call,
                                          const telemetry::ConnectionRecord& record,
                                          Deadline deadline);

  void mesh_changed() { proofs_.mesh_changed(); }
  /// Once the pod's connections have ended.
  [[nodiscard]] coro::Task<void> finish();

 private:
  [[nodiscard]] const LocalPod* find(const model::Workload& workload) const;

  PodContext& pod_;
  PathProofs proofs_;
};

}  // namespace aquifer::ztunnel
