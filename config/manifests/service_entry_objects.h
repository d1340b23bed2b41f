// ServiceEntry and WorkloadEntry as they are written. Included by objects.h.
#pragma once

#include "common/base/address.h"
#include "config/manifests/fields.h"
#include "config/manifests/object_meta.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::manifests {

/// A VM or an external host: the spec of a WorkloadEntry, or an endpoint of a ServiceEntry.
struct EntrySpec {
  /// One of the two.
  std::optional<IpAddress> address;
  std::string hostname;
  /// By the name of the service's port, or of its target.
  std::map<std::string, std::uint16_t, std::less<>> ports;
  StringMap labels;
  std::string network;
  /// REGION/ZONE/SUBZONE
  std::string locality;
  std::string service_account;
  std::uint32_t weight = 1;
  std::uint32_t line = 0;
};

struct WorkloadEntryObject {
  Metadata meta;
  EntrySpec spec;
  bool healthy = true;
};

enum class Resolution : std::uint8_t { none, static_, dns, dynamic_dns };

struct ServiceEntryPort {
  std::string name;
  std::uint16_t number = 0;
  std::uint16_t target = 0;
  std::string protocol;
};

/// An address that a cluster's controller has given to a host.
struct AssignedAddress {
  std::string host;
  IpAddress address;
};

struct ServiceEntryObject {
  Metadata meta;
  std::vector<std::string> hosts;
  std::vector<Cidr> addresses;
  std::vector<ServiceEntryPort> ports;
  Resolution resolution = Resolution::none;
  std::vector<EntrySpec> endpoints;
  /// Empty: none. Selects pods and WorkloadEntries of its namespace.
  StringMap selector;
  std::vector<std::string> subject_alt_names;
  std::vector<std::string> export_to;
  std::vector<AssignedAddress> assigned;
};

}  // namespace aquifer::manifests
