// `ztunnel explain`: what the data path would do with one connection, and why. A pure function of a
// snapshot and a question; it decides nothing itself but calls what the data path calls.
#pragma once

#include "config/model/snapshot.h"
#include "ztunnel/dns/decide.h"
#include "ztunnel/explain/explanation.h"

#include <expected>
#include <functional>
#include <string>

namespace aquifer::ztunnel {

struct ExplainOptions {
  dns::DecideOptions dns;
  /// The network of addresses that no record says more about.
  std::string network;
  /// Why a workload is captured or not, by its manifest; may be empty.
  std::function<std::string(const model::Workload&)> why_captured;
};

/// The explanation, or one line that says why there is none: no such pod.
[[nodiscard]] std::expected<Explanation, std::string> explain(const model::Snapshot& snapshot,
                                                              const Question& question,
                                                              const ExplainOptions& options);

}  // namespace aquifer::ztunnel
