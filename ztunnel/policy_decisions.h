// What authorization policies said of connections, counted and logged. The decision itself is
// judge.h's.
#pragma once

#include "common/base/log.h"
#include "common/telemetry/metrics.h"
#include "config/model/authorization.h"
#include "ztunnel/connection.h"

namespace aquifer::ztunnel {

/// `aquifer_policy_decisions_total{policy,action,dry_run,result}`. Any thread; outlived by its
/// registry.
class PolicyDecisions {
 public:
  /// `level` is that of the log's lines.
  PolicyDecisions(telemetry::Registry& registry, log::Level level);

  /// Of a connection that opens. One that no policy is about leaves no trace.
  void note(const model::AuthorizationVerdict& verdict, const ConnectionFacts& facts);

 private:
  struct Decision;
  void note(const Decision& decision, const ConnectionFacts& facts);

  telemetry::MetricGroup& group_;
  const log::Level level_;
};

}  // namespace aquifer::ztunnel
