#include "waypoint/series_cache.h"

#include <functional>
#include <iterator>
#include <utility>

namespace aquifer::waypoint {
namespace {

int grpc_of(const RequestRecord& record) noexcept {
  return record.grpc_status.value_or(-1);
}

void mix(std::uint64_t& hash, std::uint64_t more) noexcept {
  // The golden ratio spreads neighbours; rotating keeps the order of the parts in the result.
  hash = (hash << 7 | hash >> 57) ^ (more * 0x9e3779b97f4a7c15);
}

void mix(std::uint64_t& hash, const void* pointer) noexcept {
  mix(hash, reinterpret_cast<std::uintptr_t>(pointer));
}

}  // namespace

std::uint64_t SeriesCache::hash_of(const RequestRecord& record) const noexcept {
  std::uint64_t hash = 0;
  const Downstream& downstream = *record.downstream;
  // Not of the connection: a client that makes one for each request must not cost more.
  mix(hash, std::hash<SpiffeId>()(downstream.identity));
  mix(hash, downstream.source_workload.get());
  mix(hash, downstream.service.get());
  mix(hash, downstream.workload.get());
  mix(hash, record.cluster.get());
  mix(hash, record.upstream.get());
  mix(hash, (std::uint64_t{record.flags.bits()} << 32) | static_cast<std::uint32_t>(record.status));
  mix(hash, static_cast<std::uint64_t>(grpc_of(record)) * 2 + (record.grpc ? 1 : 0));
  return hash;
}

bool SeriesCache::Entry::is_of(const RequestRecord& record) const noexcept {
  const Downstream& own = *downstream;
  const Downstream& its = *record.downstream;
  return own.source_workload == its.source_workload && own.service == its.service &&
         own.workload == its.workload && own.identity == its.identity &&
         cluster == record.cluster && upstream == record.upstream &&
         flags.bits() == record.flags.bits() && status == record.status && grpc == record.grpc &&
         grpc_status == grpc_of(record);
}

void SeriesCache::Entry::set(const RequestRecord& record, RequestSeries found) {
  downstream = record.downstream;
  cluster = record.cluster;
  upstream = record.upstream;
  flags = record.flags;
  status = record.status;
  grpc = record.grpc;
  grpc_status = grpc_of(record);
  series = std::move(found);
}

void SeriesCache::sweep() {
  for (auto at = entries_.begin(); at != entries_.end();)
    at = std::exchange(at->second.used, false) ? std::next(at) : entries_.erase(at);
}

}  // namespace aquifer::waypoint
