#include "common/hbone/stream_table.h"

#include "common/base/assert.h"

#include <algorithm>

namespace aquifer::hbone {

std::vector<StreamTable::Entry>::iterator StreamTable::position(std::uint32_t id) noexcept {
  return std::lower_bound(
      entries_.begin(), entries_.end(), id,
      [](const Entry& entry, std::uint32_t wanted) { return entry.id < wanted; });
}

Stream& StreamTable::add(std::unique_ptr<Stream> stream) {
  const std::uint32_t id = stream->id();
  AQUIFER_ASSERT(entries_.empty() || entries_.back().id < id);
  entries_.push_back({id, std::move(stream)});
  recent_ = entries_.back().stream.get();
  return *recent_;
}

Stream* StreamTable::find(std::uint32_t id) noexcept {
  if (recent_ != nullptr && recent_->id() == id) return recent_;
  const auto at = position(id);
  if (at == entries_.end() || at->id != id) return nullptr;
  recent_ = at->stream.get();
  return recent_;
}

void StreamTable::remove(const Stream& stream) noexcept {
  const auto at = position(stream.id());
  AQUIFER_ASSERT(at != entries_.end() && at->stream.get() == &stream);
  if (recent_ == &stream) recent_ = nullptr;
  entries_.erase(at);
  // An idle session holds nothing.
  if (entries_.empty()) std::vector<Entry>().swap(entries_);
}

}  // namespace aquifer::hbone
