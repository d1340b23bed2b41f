#include "ztunnel/judge.h"

namespace aquifer::ztunnel {

std::optional<Refusal> judge_inbound(const model::Snapshot&, const model::Workload&,
                                     const ConnectionFacts&) {
  return std::nullopt;
}

std::optional<Refusal> judge_outbound(const model::Snapshot&, const model::Workload&,
                                      const ConnectionFacts&) {
  return std::nullopt;
}

}  // namespace aquifer::ztunnel
