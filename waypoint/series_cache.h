// The series that one loop's requests count into, found by what their labels are made of: labels
// are rendered once for each client, endpoint and outcome, and not for each request. On its loop.
#pragma once

#include "common/telemetry/histogram_set.h"
#include "common/telemetry/metrics.h"
#include "waypoint/request_record.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace aquifer::waypoint {

/// The numbers of one label set of requests.
struct RequestSeries {
  telemetry::SeriesPtr counters;
  std::shared_ptr<telemetry::HistogramCells> histograms;
};

class SeriesCache {
 public:
  /// The series of a request; `make(record)` gives it when it is not known.
  template <typename Make>
  [[nodiscard]] const RequestSeries& find(const RequestRecord& record, Make&& make) {
    const std::uint64_t hash = hash_of(record);
    if (entries_.size() >= kEntriesMax) entries_.clear();
    auto [at, added] = entries_.try_emplace(hash);
    if (added || !at->second.is_of(record)) at->second.set(record, make(record));
    at->second.used = true;
    return at->second.series;
  }
  /// Lets go of what was not used since the last call, so that the metrics may forget it: called
  /// now and then.
  void sweep();
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  /// About 150 bytes each besides the series; past it everything is found anew.
  static constexpr std::size_t kEntriesMax = 10'000;

 private:
  struct Entry {
    DownstreamPtr downstream;  // keeps what the pointers below are compared with
    l7::ClusterPtr cluster;
    model::WorkloadPtr upstream;
    Flags flags;
    int status = 0;
    int grpc_status = -1;
    bool grpc = false;
    bool used = false;
    RequestSeries series;

    [[nodiscard]] bool is_of(const RequestRecord& record) const noexcept;
    void set(const RequestRecord& record, RequestSeries found);
  };
  [[nodiscard]] std::uint64_t hash_of(const RequestRecord& record) const noexcept;

  // By hash alone: of two sets with one hash the later takes the place.
  std::unordered_map<std::uint64_t, Entry> entries_;
};

}  // namespace aquifer::waypoint
