// ByteReports: tells the destinations of one loop's same-node connections, now and then, what has
// passed, so that their records, and the metrics made of these, grow during a connection without a
// message for each chunk. On the loop of the sources.
#pragma once

#include "common/io/loop.h"

#include <unordered_set>

namespace aquifer::ztunnel {

/// Somebody who has bytes to report.
class ByteReporter {
 public:
  /// Tells what was not told before, if anything.
  virtual void report_bytes() = 0;

 protected:
  ~ByteReporter() = default;
};

class ByteReports : io::Timer {
 public:
  /// `loop` outlives it.
  explicit ByteReports(io::Loop& loop) noexcept : Timer(&ByteReports::on_due), loop_(loop) {}
  ByteReports(const ByteReports&) = delete;
  ByteReports& operator=(const ByteReports&) = delete;
  ~ByteReports() { AQUIFER_ASSERT(reporters_.empty()); }

  void add(ByteReporter& reporter);
  void remove(ByteReporter& reporter) noexcept { reporters_.erase(&reporter); }

 private:
  static void on_due(Timer& timer) noexcept;

  io::Loop& loop_;
  std::unordered_set<ByteReporter*> reporters_;
};

}  // namespace aquifer::ztunnel
