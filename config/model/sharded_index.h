// An immutable index of shared records, cut into shards so that an update copies the shards it
// touches and shares all others with the version before. Reading needs no lock: a version never
// changes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace aquifer::model {

/// Maps a 64-bit hash to records; the caller compares the real key. Several records may share a
/// key.
template <typename T>
class ShardedIndex {
 public:
  using Ptr = std::shared_ptr<const T>;
  class Editor;

  /// The first record under `hash` for which `matches(record)` is true, or null. Valid while the
  /// index lives.
  template <typename Matches>
  [[nodiscard]] const Ptr* find(std::uint64_t hash, Matches&& matches) const {
    const Shard* shard = shards_[shard_of(hash)].get();
    if (shard == nullptr) return nullptr;
    for (auto at = first(*shard, hash); at != shard->end() && at->hash == hash; ++at) {
      if (matches(*at->record)) return &at->record;
    }
    return nullptr;
  }

  /// Calls `visit(ptr)` for every record under `hash`, in the order they were inserted.
  template <typename Visit>
  void for_each_of(std::uint64_t hash, Visit&& visit) const {
    const Shard* shard = shards_[shard_of(hash)].get();
    if (shard == nullptr) return;
    for (auto at = first(*shard, hash); at != shard->end() && at->hash == hash; ++at) {
      visit(at->record);
    }
  }

  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& shard : shards_) {
      if (shard == nullptr) continue;
      for (const Entry& entry : *shard) visit(entry.record);
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// How many shards two versions share; for tests of the sharing.
  [[nodiscard]] std::size_t shards_shared_with(const ShardedIndex& other) const noexcept {
    std::size_t shared = 0;
    for (std::size_t i = 0; i < kShards; ++i) shared += shards_[i] == other.shards_[i] ? 1 : 0;
    return shared;
  }

  // 100,000 records make 390 a shard: one change copies 390 entries of 24 bytes (about 10 us with
  // the counters), and a look-up is 9 steps of binary search in 9 KiB.
  static constexpr std::size_t kShards = 256;

 private:
  struct Entry {
    std::uint64_t hash;
    Ptr record;
  };
  // Sorted by hash.
  using Shard = std::vector<Entry>;

  // The top byte, so that entries of one shard still differ in the bits that sort them.
  static std::size_t shard_of(std::uint64_t hash) noexcept { return hash >> 56U; }
  static auto first(const Shard& shard, std::uint64_t hash) {
    return std::ranges::lower_bound(shard, hash, {}, &Entry::hash);
  }

  std::array<std::shared_ptr<const Shard>, kShards> shards_;
  std::size_t size_ = 0;
};

/// Builds the next version of an index; the version it started from stays as it was.
template <typename T>
class ShardedIndex<T>::Editor {
 public:
  explicit Editor(const ShardedIndex& base) : index_(base) {}

  void insert(std::uint64_t hash, Ptr record) {
    Shard& shard = writable(hash);
    const auto after = std::ranges::upper_bound(shard, hash, {}, &Entry::hash);
    shard.insert(after, Entry{hash, std::move(record)});
    ++index_.size_;
  }

  /// Takes out the entry for exactly this record; nothing happens when there is none.
  void erase(std::uint64_t hash, const T* record) {
    Shard& shard = writable(hash);
    auto at = std::ranges::lower_bound(shard, hash, {}, &Entry::hash);
    while (at != shard.end() && at->hash == hash && at->record.get() != record) ++at;
    if (at == shard.end() || at->hash != hash) return;
    shard.erase(at);
    --index_.size_;
  }

  /// Sees its own edits.
  [[nodiscard]] const ShardedIndex& view() const noexcept { return index_; }
  [[nodiscard]] ShardedIndex finish() && { return std::move(index_); }

 private:
  Shard& writable(std::uint64_t hash) {
    const std::size_t number = shard_of(hash);
    if (owned_[number] == nullptr) {
      const auto& shared = index_.shards_[number];
      auto copy = shared ? std::make_shared<Shard>(*shared) : std::make_shared<Shard>();
      owned_[number] = copy.get();
      index_.shards_[number] = std::move(copy);
    }
    return *owned_[number];
  }

  ShardedIndex index_;
  // The shards made by this editor, hence still writable; owned through index_.
  std::array<Shard*, kShards> owned_{};
};

}  // namespace aquifer::model
