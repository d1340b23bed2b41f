// The streams of one session by id. Ids only grow, at most a few hundred live at once.
#pragma once

#include "common/hbone/stream_state.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace aquifer::hbone {

/// A vector sorted by id, because new ids are always the largest: insertion is push_back, look-up a
/// binary search over 16-byte entries (8 steps for 200 streams, one when the same stream is asked
/// for again), removal a memmove.
class StreamTable {
 public:
  struct Entry {
    std::uint32_t id;
    std::unique_ptr<Stream> stream;
  };

  /// `id` is larger than every id before it.
  Stream& add(std::unique_ptr<Stream> stream);
  [[nodiscard]] Stream* find(std::uint32_t id) noexcept;
  /// The stream is destroyed. It is in the table.
  void remove(const Stream& stream) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] auto begin() const noexcept { return entries_.begin(); }
  [[nodiscard]] auto end() const noexcept { return entries_.end(); }

 private:
  [[nodiscard]] std::vector<Entry>::iterator position(std::uint32_t id) noexcept;

  std::vector<Entry> entries_;
  Stream* recent_ = nullptr;
};

}  // namespace aquifer::hbone
