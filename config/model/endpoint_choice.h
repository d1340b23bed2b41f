// Which endpoint of a service gets a connection: a pure function of the snapshot, the client and
// one random number.
#pragma once

#include "common/base/address.h"
#include "config/model/service.h"
#include "config/model/snapshot.h"
#include "config/model/workload.h"

#include <cstdint>
#include <optional>

namespace aquifer::model {

/// An endpoint that can take the connection, with the address and port it will be dialled at.
struct EndpointChoice {
  WorkloadPtr workload;
  SocketAddress address;
};

/// Weighted random among the eligible: healthy, serving `destination.port`, on the client's
/// network, with an address. The service's routing preferences narrow them first. None: there is no
/// healthy upstream.
[[nodiscard]] std::optional<EndpointChoice> choose_endpoint(const Snapshot& snapshot,
                                                            const ServiceRecord& record,
                                                            const Workload& client,
                                                            const OriginalDst& destination,
                                                            std::uint64_t random);

}  // namespace aquifer::model
