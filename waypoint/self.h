// Finding out who this waypoint is: its own record in the mesh, by the addresses of the machine it
// runs on, else by its Gateway's service. Pure but for own_addresses().
#pragma once

#include "common/base/address.h"
#include "config/model/snapshot.h"
#include "waypoint/worker.h"

#include <span>
#include <string_view>
#include <vector>

namespace aquifer::waypoint {

/// The addresses of this network namespace, without loopback and link-local ones.
[[nodiscard]] std::vector<IpAddress> own_addresses();

/// `gateway` is NAMESPACE/NAME. With an empty identity when the mesh knows no pod of it.
[[nodiscard]] SelfPtr find_self(const model::Snapshot& snapshot, std::string_view gateway,
                                std::string_view network, std::string_view cluster_domain,
                                std::span<const IpAddress> addresses);

}  // namespace aquifer::waypoint
