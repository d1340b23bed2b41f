// Snapshot's look-ups of services by address: the very address, then ranges.
#include "config/model/snapshot.h"

#include <algorithm>
#include <tuple>

namespace aquifer::model {
namespace {

// Returned by reference when a look-up finds nothing.
const ServiceRecordPtr kNoService;

bool has_vip(const Service& service, std::string_view network, const IpAddress& ip) {
  return std::ranges::any_of(service.vips, [&](const NetworkAddress& vip) {
    return vip.ip == ip && vip.network == network;
  });
}

bool has_range(const Service& service, std::string_view network, const Cidr& cidr) {
  return std::ranges::any_of(service.cidr_vips, [&](const NetworkCidr& range) {
    return range.cidr == cidr && range.network == network;
  });
}

// Of two that match an address equally well. The last rule is any rule that every node follows.
bool preferred(const Service& a, const Service& b, std::string_view client_ns) {
  const auto place = [&](const Service& service) {
    return std::tuple(service.ns != client_ns, !service.kubernetes, !service.canonical,
                      std::string_view(service.ns), std::string_view(service.hostname));
  };
  return place(a) < place(b);
}

// Keeps the best visible one of those it is shown.
struct Best {
  std::string_view client_ns;
  const ServiceRecordPtr* found = &kNoService;

  void show(const ServiceRecordPtr& record) {
    if (!record->service->visible_to(client_ns)) return;
    if (*found == nullptr || preferred(*record->service, *(*found)->service, client_ns))
      found = &record;
  }
};

}  // namespace

const ServiceRecordPtr& Snapshot::service_by_vip(std::string_view network, const IpAddress& ip,
                                                 std::string_view client_ns) const {
  Best exact{client_ns};
  services_by_vip_.for_each_of(index_hash(network, ip), [&](const ServiceRecordPtr& record) {
    if (has_vip(*record->service, network, ip)) exact.show(record);
  });
  if (*exact.found != nullptr || cidr_lengths_.empty()) return *exact.found;

  // The narrowest range of the client's own namespace, else the narrowest of all.
  const ServiceRecordPtr* narrowest = &kNoService;
  cidr_lengths_.for_each(ip, [&](std::uint8_t bits) {
    const Cidr cidr(ip, bits);
    Best of_this_length{client_ns};
    services_by_cidr_.for_each_of(index_hash(network, cidr), [&](const ServiceRecordPtr& record) {
      if (has_range(*record->service, network, cidr)) of_this_length.show(record);
    });
    const ServiceRecordPtr& found = *of_this_length.found;
    if (found == nullptr) return false;
    const bool own = found->service->ns == client_ns;
    if (*narrowest == nullptr || own) narrowest = of_this_length.found;
    return own;
  });
  return *narrowest;
}

void Snapshot::for_each_vip_match(
    std::string_view network, const IpAddress& ip,
    const std::function<void(const ServiceRecordPtr&, const Cidr*)>& visit) const {
  services_by_vip_.for_each_of(index_hash(network, ip), [&](const ServiceRecordPtr& record) {
    if (has_vip(*record->service, network, ip)) visit(record, nullptr);
  });
  cidr_lengths_.for_each(ip, [&](std::uint8_t bits) {
    const Cidr cidr(ip, bits);
    services_by_cidr_.for_each_of(index_hash(network, cidr), [&](const ServiceRecordPtr& record) {
      if (has_range(*record->service, network, cidr)) visit(record, &cidr);
    });
    return false;
  });
}

}  // namespace aquifer::model
