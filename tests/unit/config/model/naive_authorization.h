// A second evaluator, written straight from the peer's written semantics (reference section j) and
// not from the proxy's code: no index, no matching code of the proxy, one sentence after the other.
#pragma once

#include "config/model/authorization.h"

#include <cstdint>
#include <string>
#include <vector>

namespace aquifer::model::naive {

/// What the connection is, in plain parts.
struct Facts {
  std::string principal;  ///< "spiffe://..." or empty
  std::string ns;
  std::string service_account;
  std::vector<std::uint8_t> source_ip;
  std::vector<std::uint8_t> destination_ip;
  int destination_port = 0;
  std::string workload_ns;
  std::vector<std::string> workload_policies;
};

struct Answer {
  bool allowed = true;
  /// Every enforced policy that could have been named for this answer; empty for "no policies" and
  /// for "none allowed".
  std::vector<std::string> policies;
  std::vector<std::string> dry_run_matches;
};

[[nodiscard]] Answer decide(const std::vector<AuthorizationPolicyPtr>& policies,
                            const Facts& facts);
[[nodiscard]] Facts facts_of(const AuthorizationRequest& request);

}  // namespace aquifer::model::naive
