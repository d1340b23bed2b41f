// An IP address in the network where it means something: two clusters may use the same addresses.
#pragma once

#include "common/base/address.h"

#include <string>

namespace aquifer::model {

struct NetworkAddress {
  std::string network;
  IpAddress ip;
  friend bool operator==(const NetworkAddress&, const NetworkAddress&) = default;
};

/// A range of addresses that all lead to one service.
struct NetworkCidr {
  std::string network;
  Cidr cidr;
  friend bool operator==(const NetworkCidr&, const NetworkCidr&) = default;
};

}  // namespace aquifer::model
