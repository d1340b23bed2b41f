// What a filter may look at and change. Filters are plain functions where they can be; each has a
// file of its own, and what they decide on is the route.
#pragma once

#include "common/http/message.h"
#include "config/model/l7/route.h"
#include "config/model/snapshot.h"
#include "waypoint/downstream.h"
#include "waypoint/local_reply.h"
#include "waypoint/request_record.h"

#include <cstdint>

namespace aquifer::waypoint {

/// All of it lives in the exchange.
struct FilterContext {
  const model::Snapshot& snapshot;
  const Downstream& downstream;
  const l7::Route& route;
  http::RequestHead& request;
  RequestRecord& record;
  /// Fields that whatever answer there will be gets, ours too.
  HeaderFields& answer_fields;
  std::uint64_t random = 0;
};

}  // namespace aquifer::waypoint
